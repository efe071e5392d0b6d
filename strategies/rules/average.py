"""The plain average (McMahan et al. 2017, "Communication-Efficient Learning", algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from strategies.aggregation import FloatArray, WeightedAverage
from strategies.rules.rule import Model, RuleSettings, State


class FedAvg:
    """The weighted mean of the replies; one bad site moves it as far as it likes."""

    usual: ClassVar[Mapping[str, float]] = {}
    holds_replies: ClassVar[bool] = False
    reply_like: ClassVar[None] = None

    def __init__(self, settings: RuleSettings) -> None:
        self._average = WeightedAverage()

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 1; there is no number of sites with which it stands a bad one."""
        return 1

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round."""
        self._average = WeightedAverage()

    def add(self, node: int, model: Model, weight: float) -> None:
        """Fold in one reply."""
        self._average.add(model, weight)

    def finish(self) -> list[FloatArray]:
        """Return the mean."""
        return self._average.mean()

    @property
    def needs(self) -> int:
        """One."""
        return 1

    @property
    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Take up nothing."""
