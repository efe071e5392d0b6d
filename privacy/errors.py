"""The one exception of this package: a budget that does not stretch."""

__all__ = ["BudgetExceeded"]


class BudgetExceeded(RuntimeError):
    """Raised when a reservation would cost more than a ledger's budget; nothing was written.

    Attributes:
        requested: epsilon that the refused events would have added to what is already reserved.
        remaining: epsilon that was left before the request, at the ledger's delta.
    """

    def __init__(self, requested: float, remaining: float) -> None:
        super().__init__(
            f"the events asked for would add epsilon {requested:.4f} but {remaining:.4f} is left "
            "in this ledger; ask for fewer steps or more noise, or agree on a larger budget"
        )
        self.requested = requested
        self.remaining = remaining

    def __reduce__(self) -> tuple[type["BudgetExceeded"], tuple[float, float]]:
        """Keep the attributes when the exception crosses a process border."""
        return type(self), (self.requested, self.remaining)
