"""A number that will be quoted, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and its 95 % interval.

    An interval may be so wide that it says nothing; that is then what is known.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(
                f"value must lie in its interval, got {self.value} in [{self.low}, {self.high}]"
            )
