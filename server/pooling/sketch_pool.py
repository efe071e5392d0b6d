"""The sites' sketches on their way to one: each is folded in as it comes, and then forgotten.

Of a site that planted canaries the counts that these touch are kept, for the audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from server.acceptance import LARGEST_NOISE
from strategies import protocol
from strategies.aggregation import FloatArray, PooledSketch, SketchSum
from strategies.arrays import ProblemCode
from strategies.collect import Answers
from strategies.protocol import STATISTICS
from strategies.validation import Rejection, Reply
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout
from synthesis.targets import estimate_rows

_ROWS = "rows"
_VARIANCE = "noise-variance"
_TOUCHED = "canaries/"
_COVERAGE = "coverage"

Contributions = Callable[[int, int], Any]
"""From a node and its number of canaries to what each adds to its sketch, a sparse matrix."""
LeastNoise = Callable[[float], float]
"""From what a site says it spends to its least noise multiplier; infinite where it may not."""


class SketchPool:
    """Folds in sketches, and remembers of each site how many rows its sketch suggests.

    Half of every canary is taken out of a sketch before it is folded in: as much as is known of it
    while its coin is not.

    Args:
        layout: where the counts lie.
        contributions: what the canaries of a site add to its sketch.
        least_noise: smallest noise multiplier that a site may state with its epsilon. One site must
            not end a study, and none has reason to release more than its ledger allows.
    """

    def __init__(
        self,
        layout: SketchLayout | ImageLayout,
        contributions: Contributions,
        *,
        least_noise: LeastNoise,
    ) -> None:
        self._layout = layout
        self._contributions = contributions
        self._least_noise = least_noise
        self._sum = SketchSum()
        self._rows: dict[int, float] = {}
        self._touched: dict[int, NDArray[np.float32]] = {}

    def take(self, node: int, reply: Reply) -> Reply | Rejection:
        """Fold in one site's sketch, or leave out a site that states too little noise.

        One that names canaries and commits to no coins, or the other way round, is left out too.
        """
        noise = noise_of(reply)
        if not self._least_noise(epsilon_of(reply)) <= noise <= LARGEST_NOISE:
            return Rejection(code=ProblemCode.VALUE_NOT_ALLOWED.value)
        if number_of(reply) > 0 and isinstance(self._layout, ImageLayout):
            return Rejection(code=ProblemCode.VALUE_NOT_ALLOWED.value)
        if (number_of(reply) > 0) != (protocol.CANARY_COMMITMENT in reply.config):
            return Rejection(code=ProblemCode.MISSING_KEY.value)
        sketch = self._without_canaries(node, reply)
        self._fold(node, sketch, noise, number_of(reply))
        self._rows[node] = estimate_units(self._layout_of(node), sketch)
        return replace(reply, arrays={})

    def _without_canaries(self, node: int, reply: Reply) -> NDArray[np.float64]:
        sketch = reply.arrays[STATISTICS]
        if number_of(reply) == 0:
            return sketch.astype(np.float64)
        contributions = self._contributions(node, number_of(reply))
        self._touched[node] = sketch[np.unique(contributions.indices)].astype(np.float32)
        return np.asarray(sketch.astype(np.float64) - 0.5 * contributions.sum(axis=0))

    def seal(self, answers: Answers) -> Answers:
        """Put the sum beside the answers that it is made of; there must be one at least."""
        pooled, more = self._combine(list(answers.valid))
        sums = {
            STATISTICS: pooled.values,
            _VARIANCE: np.array([pooled.noise_variance]),
            _ROWS: np.array([self._rows[node] for node in answers.valid]),
        }
        if pooled.coverage is not None:
            sums[_COVERAGE] = pooled.coverage
        sums |= {
            f"{_TOUCHED}{node}": values
            for node, values in self._touched.items()
            if node in answers.valid
        }
        return replace(answers, sums=sums | more)

    def _layout_of(self, node: int) -> SketchLayout | ImageLayout:
        return self._layout

    def _fold(self, node: int, sketch: FloatArray, noise: float, canaries: int) -> None:
        self._sum.add(sketch, noise)

    def _combine(self, nodes: Sequence[int]) -> tuple[PooledSketch, dict[str, NDArray[Any]]]:
        return self._sum.pooled, {}


def estimate_units(layout: SketchLayout | ImageLayout, sketch: FloatArray) -> float:
    """Return how many units a noisy sketch suggests, at least 1."""
    values = np.asarray(sketch, dtype=np.float64)
    if isinstance(layout, ImageLayout):
        return layout.estimate_rows(values)
    return estimate_rows(layout, values)


def noise_of(reply: Reply) -> float:
    """Return the noise multiplier that came with a sketch."""
    return float(str(reply.config[protocol.NOISE_MULTIPLIER]))


def epsilon_of(reply: Reply) -> float:
    """Return what a site says that it spends on the study."""
    return float(str(reply.config[protocol.PLAN_EPSILON]))


def number_of(reply: Reply) -> int:
    """Return how many canaries the site of a sketch planted, mostly 0."""
    return int(str(reply.config.get(protocol.CANARIES, 0)))


def kept_values(answers: Answers, node: int) -> NDArray[np.float64]:
    """Return the noisy counts of the cells that the canaries of a site touch, in order."""
    return answers.sums[f"{_TOUCHED}{node}"].astype(np.float64)


def pooled_of(answers: Answers) -> PooledSketch:
    """Return the sum of the sketches."""
    return PooledSketch(
        values=answers.sums[STATISTICS],
        noise_variance=float(answers.sums[_VARIANCE][0]),
        coverage=answers.sums.get(_COVERAGE),
    )


def to_record(pooled: PooledSketch) -> ArrayRecord:
    """Return the statistics of all sites as they are sent."""
    more = [] if pooled.coverage is None else [pooled.coverage]
    values = np.concatenate([pooled.values, *more])
    return ArrayRecord({STATISTICS: Array(values.astype(np.float32))})


def sizes_of(answers: Answers) -> dict[int, float]:
    """Return how many rows each site's own sketch suggests, at least 1, by node."""
    return dict(zip(answers.valid, answers.sums[_ROWS].tolist(), strict=True))
