"""The sites' sketches on their way to one: each is folded in as it comes, and then forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.acceptance import LARGEST_NOISE
from strategies import protocol
from strategies.aggregation import FloatArray, PooledSketch, SketchSum
from strategies.arrays import ProblemCode
from strategies.collect import Answers
from strategies.protocol import STATISTICS
from strategies.validation import Rejection, Reply
from synthesis.layout import SketchLayout
from synthesis.targets import estimate_rows

_ROWS = "rows"
_VARIANCE = "noise-variance"


class SketchPool:
    """Folds in sketches, and remembers of each site only how many rows its sketch suggests.

    Args:
        layout: where the counts lie.
        least_noise: smallest noise multiplier that a site may state. One site must not end a study,
            and none has reason to release more than its ledger allows.
    """

    def __init__(self, layout: SketchLayout, *, least_noise: float) -> None:
        self._layout = layout
        self._least_noise = least_noise
        self._sum = SketchSum()
        self._rows: dict[int, float] = {}

    def take(self, node: int, reply: Reply) -> Reply | Rejection:
        """Fold in one site's sketch, or leave out a site that states no noise or too little."""
        noise = noise_of(reply)
        if not self._least_noise <= noise <= LARGEST_NOISE:
            return Rejection(code=ProblemCode.VALUE_NOT_ALLOWED.value)
        sketch = reply.arrays[STATISTICS]
        self._fold(node, sketch, noise)
        self._rows[node] = estimate_rows(self._layout, sketch.astype(np.float64))
        return replace(reply, arrays={})

    def seal(self, answers: Answers) -> Answers:
        """Put the sum beside the answers that it is made of; there must be one at least."""
        pooled, more = self._combine(list(answers.valid))
        sums = {
            STATISTICS: pooled.values,
            _VARIANCE: np.array([pooled.noise_variance]),
            _ROWS: np.array([self._rows[node] for node in answers.valid]),
        }
        return replace(answers, sums=sums | more)

    def _fold(self, node: int, sketch: FloatArray, noise: float) -> None:
        self._sum.add(sketch, noise)

    def _combine(self, nodes: Sequence[int]) -> tuple[PooledSketch, dict[str, NDArray[Any]]]:
        return self._sum.pooled, {}


def noise_of(reply: Reply) -> float:
    """Return the noise multiplier that came with a sketch."""
    return float(str(reply.config[protocol.NOISE_MULTIPLIER]))


def pooled_of(answers: Answers) -> PooledSketch:
    """Return the sum of the sketches."""
    return PooledSketch(
        values=answers.sums[STATISTICS], noise_variance=float(answers.sums[_VARIANCE][0])
    )


def sizes_of(answers: Answers) -> dict[int, float]:
    """Return how many rows each site's own sketch suggests, at least 1, by node."""
    return dict(zip(answers.valid, answers.sums[_ROWS].tolist(), strict=True))
