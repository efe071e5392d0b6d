"""What a ledger says no with: a budget, a policy, what happened before, or a broken history."""

__all__ = ["AlreadyReleased", "BudgetExceeded", "LedgerBroken", "PolicyViolation", "StudyChanged"]


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


class PolicyViolation(RuntimeError):
    """Raised when a site's policy does not allow what was asked; nothing was written.

    Attributes:
        rule: name of the setting in the policy that says no.
        reason: what was asked and what is allowed.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{reason} (policy: {rule}); change the study, or have the policy changed")
        self.rule = rule
        self.reason = reason

    def __reduce__(self) -> tuple[type["PolicyViolation"], tuple[str, str]]:
        """Keep the attributes when the exception crosses a process border."""
        return type(self), (self.rule, self.reason)


class LedgerBroken(ValueError):
    """Raised when a ledger is not what its own chain, its signatures or a receipt say it is."""


class AlreadyReleased(RuntimeError):
    """Raised when a part of a study has begun before, or the study is over: release nothing."""


class StudyChanged(ValueError):
    """Raised when a study comes back under its old name with other events or details."""
