"""Sketches of sites of which some lack columns: what each pair is told, by those that have both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouped_pool import COMPARED, MOST_NUMBERS, MOST_SITES
from server.pooling.grouping import Grouping
from server.pooling.site_comparison import compare_sites
from server.pooling.sketch_pool import Contributions, LeastNoise, SketchPool
from server.pooling.target_tests import hold_sites
from server.public_target import PublicTarget
from strategies.aggregation import FloatArray, PooledSketch, SketchSum
from strategies.arrays import ProblemCode
from strategies.protocol import STATISTICS
from strategies.validation import Rejection, Reply
from synthesis.coverage import Coverage, Told, combine_told
from synthesis.layout import SketchLayout
from synthesis.targets import class_totals

Missing = Mapping[int, tuple[int, ...]]
"""By node, positions of the columns that a site lacks; without those that have all."""


class PartialSketchPool(SketchPool):
    """Adds up the sketches of sites that lack the same columns, and then makes one of these sums.

    All sites are one group: a group of its own could not tell of a column that its sites lack.

    Args:
        layout: where the counts lie, of all columns.
        contributions: what the canaries of a site add to its sketch.
        least_noise: smallest noise multiplier that a site may state with its epsilon.
        missing: what sites lack.
        target: what every site is held to, if anything.
    """

    def __init__(
        self,
        layout: SketchLayout,
        contributions: Contributions,
        *,
        least_noise: LeastNoise,
        missing: Missing,
        target: PublicTarget | None = None,
    ) -> None:
        super().__init__(layout, contributions, least_noise=least_noise)
        self._whole = layout
        self._layouts = {columns: layout.lacking(columns) for columns in {*missing.values(), ()}}
        self._missing = missing
        self._target = target
        self._sums: dict[tuple[int, ...], SketchSum] = {}
        self._held: dict[int, PooledSketch] | None = {}

    def take(self, node: int, reply: Reply) -> Reply | Rejection:
        """Fold in one site's sketch, or leave out a site that tells other columns than it said."""
        layout, sketch = self._layout_of(node), reply.arrays[STATISTICS]
        cells = zip(layout.blocks, layout.split(sketch.astype(np.float64)), strict=True)
        if any(bool(counts.any()) != layout.is_told(block) for block, counts in cells):
            return Rejection(code=ProblemCode.VALUE_NOT_ALLOWED.value)
        return super().take(node, reply)

    def _layout_of(self, node: int) -> SketchLayout:
        return self._layouts[self._missing.get(node, ())]

    def _fold(self, node: int, sketch: FloatArray, noise: float, canaries: int) -> None:
        layout, lacking = self._layout_of(node), self._missing.get(node, ())
        noise *= layout.sensitivity / self._whole.sensitivity  # in units of that of all columns
        self._sums.setdefault(lacking, SketchSum()).add(sketch, noise)
        if self._held is None:
            return
        self._held[node] = PooledSketch(
            values=sketch.astype(np.float64),
            noise_variance=noise**2,
            coverage=Coverage.of_site(layout).to_vector(),
        )
        if len(self._held) > MOST_SITES or len(self._held) * len(sketch) > MOST_NUMBERS:
            self._held = None

    def _combine(self, nodes: Sequence[int]) -> tuple[PooledSketch, dict[str, NDArray[Any]]]:
        several = [
            self._tell(self._layouts[lacking], each.pooled)
            for lacking, each in sorted(self._sums.items())
        ]
        values, coverage = combine_told(self._whole, several)
        pooled = PooledSketch(
            values=values,
            noise_variance=sum(each.variance for each in several),
            coverage=coverage.to_vector(),
        )
        held, self._held = self._held, None
        if held is None or len(held) < 2 or coverage.find_untold(self._whole):
            return pooled, {}
        grouping = Grouping(self._whole, pooled)
        sites = grouping.list_sites(held)
        compared = compare_sites(self._whole, held, [grouping.add(sites)], grouping)
        more = {f"{COMPARED}{name}": each for name, each in compared.to_arrays().items()}
        return pooled, more | hold_sites(self._whole, self._target, pooled, sites)

    def _tell(self, layout: SketchLayout, sketch: PooledSketch) -> Told:
        noise_std = sketch.noise_variance**0.5 * self._whole.sensitivity
        classes, class_std = class_totals(layout, list(layout.split(sketch.values)), noise_std)
        return Told(
            told=[layout.is_told(block) for block in layout.blocks],
            counts=sketch.values,
            variance=sketch.noise_variance,
            classes=classes,
            class_std=class_std,
        )
