"""The average as a direction, and a step of the server's own along it.

The update of a round is the mean of the replies less what the sites were sent; the server treats
its negative as a gradient. Momentum after Hsu et al. 2019 ("Measuring the Effects of Non-Identical
Data Distribution"), Adam and Yogi after Reddi et al. 2021 ("Adaptive Federated Optimization",
algorithm 2, without a correction of bias, as there).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray, WeightedAverage
from strategies.rules.rule import Model, RuleSettings, State

Arrays = list[NDArray[np.float64]]
_MOMENTUM = "momentum"
_SECOND = "second"
_SECOND_DECAY = 0.99
_ADAPTIVITY = 1e-3
"""Added to the root of the second moment, whose start it is (tau of Reddi et al.)."""


class FedAvgM:
    """Server momentum: a round moves on in the direction of earlier ones, too."""

    usual: ClassVar[Mapping[str, float]] = {"server_learning_rate": 1.0, "server_momentum": 0.9}
    holds_replies: ClassVar[bool] = False
    reply_like: ClassVar[None] = None

    def __init__(self, settings: RuleSettings) -> None:
        self._rate = settings.server_learning_rate
        self._beta = settings.server_momentum
        self._average = WeightedAverage()
        self._start: Model = []
        self._seen: Model = []
        self._state: dict[str, NDArray[np.float64]] = {}

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 1; there is no number of sites with which it stands a bad one."""
        return 1

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round at ``start``, to which the step is added in full precision."""
        self._average = WeightedAverage()
        self._start, self._seen = start, seen

    def add(self, node: int, model: Model, weight: float) -> None:
        """Fold in one reply."""
        self._average.add(model, weight)

    def finish(self) -> list[FloatArray]:
        """Return the start and one step."""
        mean = self._average.mean()
        updates = [
            after.astype(np.float64) - before.astype(np.float64)
            for after, before in zip(mean, self._seen, strict=True)
        ]
        steps = self._step(updates)
        dtypes: list[np.dtype[Any]] = [each.dtype for each in mean]
        return [
            (before.astype(np.float64) + self._rate * step).astype(dtype)
            for before, step, dtype in zip(self._start, steps, dtypes, strict=True)
        ]

    @property
    def needs(self) -> int:
        """One."""
        return 1

    @property
    def state(self) -> State:
        """The moments, array by array."""
        return dict(self._state)

    def restore(self, state: State) -> None:
        """Take up the moments."""
        self._state = {name: np.asarray(values) for name, values in state.items()}

    def _step(self, updates: Arrays) -> Arrays:
        momentum = [
            self._beta * old + update
            for old, update in zip(self._moments(_MOMENTUM, updates), updates, strict=True)
        ]
        self._keep(_MOMENTUM, momentum)
        return momentum

    def _moments(self, name: str, like: Arrays, first: float = 0.0) -> Arrays:
        """Return one kind of moments, or what they are before the first round."""
        return [
            self._state.get(f"{name}.{number}", np.full(each.shape, first))
            for number, each in enumerate(like)
        ]

    def _keep(self, name: str, moments: Arrays) -> None:
        self._state |= {f"{name}.{number}": each for number, each in enumerate(moments)}


class FedAdam(FedAvgM):
    """Momentum, and for every weight a step of about the same size."""

    usual: ClassVar[Mapping[str, float]] = {"server_learning_rate": 0.01, "server_momentum": 0.9}

    def _step(self, updates: Arrays) -> Arrays:
        momentum = [
            self._beta * old + (1 - self._beta) * update
            for old, update in zip(self._moments(_MOMENTUM, updates), updates, strict=True)
        ]
        second = [
            self._grow(old, np.square(update))
            for old, update in zip(
                self._moments(_SECOND, updates, _ADAPTIVITY**2), updates, strict=True
            )
        ]
        self._keep(_MOMENTUM, momentum)
        self._keep(_SECOND, second)
        return [m / (np.sqrt(v) + _ADAPTIVITY) for m, v in zip(momentum, second, strict=True)]

    def _grow(self, old: NDArray[np.float64], square: NDArray[np.float64]) -> NDArray[np.float64]:
        return _SECOND_DECAY * old + (1 - _SECOND_DECAY) * square


class FedYogi(FedAdam):
    """Adam whose second moment forgets a large update more slowly."""

    def _grow(self, old: NDArray[np.float64], square: NDArray[np.float64]) -> NDArray[np.float64]:
        grown: NDArray[np.float64] = old - (1 - _SECOND_DECAY) * square * np.sign(old - square)
        return grown
