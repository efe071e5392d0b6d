"""What robust rules share: all replies of a round, as rows of one matrix, in the order of nodes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray
from strategies.rules.rule import Model, RuleSettings, State

Stack = NDArray[np.float32]
Vector = NDArray[np.float64]


class HeldRule(ABC):
    """A rule that looks at all replies at once, and stands some that are bad.

    It holds them as float32, and sorting copies them once more: a thousand sites with a million
    weights each take 8 GB. Each site has one voice, whatever its declared weight.

    Args:
        settings: ``bad_sites`` is how many replies of a round may be anything.
    """

    usual: ClassVar[Mapping[str, float]] = {"bad_sites": 0}  # must be given
    holds_replies: ClassVar[bool] = True
    reply_like: ClassVar[None] = None

    def __init__(self, settings: RuleSettings) -> None:
        self.bad_sites = settings.bad_sites
        self._held: dict[int, Stack] = {}
        self._shapes: list[tuple[int, ...]] = []
        self._dtypes: list[np.dtype[Any]] = []

    @staticmethod
    @abstractmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return with how many replies the rule stands so many bad ones among them."""

    @abstractmethod
    def combine(self, stack: Stack) -> Vector:
        """Return one vector of those in the rows of a matrix, ``(n, d)`` to ``(d,)``."""

    def select(self, stack: Stack) -> NDArray[np.intp]:
        """Return the rows of sketches that count at all, ascending."""
        return np.arange(len(stack))

    def combine_shares(self, stack: Stack, weights: Vector) -> Vector:
        """Return one vector of the selected sketches, each divided by its number of rows.

        Args:
            stack: the selected sketches, ``(n, d)``.
            weights: their numbers of rows, bounded, for rules that let large sites count more.
        """
        return self.combine(stack)

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round."""
        self._held = {}

    def add(self, node: int, model: Model, weight: float) -> None:
        """Hold one reply."""
        self._shapes = [each.shape for each in model]
        self._dtypes = [each.dtype for each in model]
        self._held[node] = np.concatenate([each.reshape(-1).astype(np.float32) for each in model])

    def finish(self) -> list[FloatArray]:
        """Return what the rule makes of the replies, and let go of them.

        Raises:
            ValueError: if there are fewer than the rule needs for its bad sites.
        """
        if len(self._held) < self.needs:
            raise ValueError(f"the rule needs {self.needs} replies, got {len(self._held)}")
        combined = self.combine(np.stack([self._held[node] for node in sorted(self._held)]))
        self._held = {}
        parts = np.split(combined, np.cumsum([math.prod(shape) for shape in self._shapes])[:-1])
        return [
            part.reshape(shape).astype(dtype)
            for part, shape, dtype in zip(parts, self._shapes, self._dtypes, strict=True)
        ]

    @property
    def needs(self) -> int:
        """As many as with which it stands its bad sites."""
        return self.fewest_sites(self.bad_sites)

    @property
    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Take up nothing, and hold nothing."""
        self._held = {}
