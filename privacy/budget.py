"""What is promised: a budget, for which unit, under which neighbouring relation."""

from dataclasses import dataclass
from enum import StrEnum

from privacy.checks import check_accounting_delta, check_positive

__all__ = ["Adjacency", "Budget", "Part", "Unit"]


class Adjacency(StrEnum):
    """When two tables count as neighbours.

    `ADD_OR_REMOVE_ONE` (also called unbounded) is the default everywhere; `REPLACE_ONE` (bounded)
    costs up to twice the sensitivity.
    """

    ADD_OR_REMOVE_ONE = "add_or_remove_one"
    REPLACE_ONE = "replace_one"


class Unit(StrEnum):
    """What one neighbouring change adds or removes: a row, or all rows of a person."""

    RECORD = "record"
    PERSON = "person"


class Part(StrEnum):
    """Which units of a data set an event may touch.

    A site sends every unit to one of the two parts for the life of the data set, by a secret coin
    that looks at that unit alone. What is released from one part says nothing of the units of the
    other, so a unit pays for the events of its own part only (parallel composition).
    """

    TRAINING = "training"
    HOLD_OUT = "hold-out"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that everything released from one data set may cost one unit.

    Args:
        epsilon: bound on the privacy loss, finite and > 0.
        delta: failure probability, in (1e-10, 1); below 1e-10 accountants are not reliable.

    Raises:
        ValueError: if a value is out of range.

    >>> Budget(epsilon=1, delta=1e-5)
    Budget(epsilon=1.0, delta=1e-05)
    """

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        epsilon = check_positive(self.epsilon, name="epsilon", hint="1.0 is a usual choice")
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "delta", check_accounting_delta(self.delta))
