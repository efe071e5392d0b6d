"""What the coordinator knows after the sketch: noisy shares, and how far each may be trusted.

Everything here is post-processing of released statistics. Blocks that tell the same fact (the
column totals inside every pair of a column) are averaged with weights that follow their noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.layout import Counts, SketchLayout

MODEL_ERROR_WEIGHT = 3.0
"""How much of a cell's own share, in records, is tolerated beside its noise variance."""

Shares = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchTargets:
    """Shares to be fitted, all relative to the estimated number of records.

    Attributes:
        layout: where the blocks lie.
        rows: estimated number of records, >= 1 (an estimate from the noisy sketch).
        class_shares: share of every class, sums to 1.
        one_way: per feature, the class-conditional shares of its groups, ``(classes, groups)``.
        blocks: per block, the noisy shares, in the order of ``layout.shapes``.
        weights: per block, inverse variances with a term for the model's own error.
    """

    layout: SketchLayout
    rows: float
    class_shares: Shares
    one_way: tuple[Shares, ...]
    blocks: tuple[Shares, ...]
    weights: tuple[Shares, ...]
    noise_variance: float

    @property
    def expected_loss(self) -> float:
        """Weighted squared error that the noise alone causes: what the truth itself would score."""
        return float(sum(weight.sum() for weight in self.weights)) * self.noise_variance


def make_targets(layout: SketchLayout, pooled: Counts, noise_std: float) -> SketchTargets:
    """Turn a pooled noisy sketch into targets for the generator.

    Args:
        layout: where the counts lie.
        pooled: sum of the sites' noisy sketches, ``(layout.dimension,)``.
        noise_std: standard deviation of the noise in every cell of ``pooled``, >= 0.
    """
    counts = list(layout.split(pooled))
    totals, total_std = _class_totals(layout, counts, noise_std)
    rows = max(1.0, float(totals.sum()), total_std * layout.num_classes**0.5)
    blocks = tuple(block / rows for block in counts)
    variance = max((noise_std / rows) ** 2, 1e-16)
    # A class that noise has pushed below half its own standard error may still be there.
    positive = np.maximum(totals, max(0.5 * total_std, 1e-6 * rows))
    classes = positive / positive.sum()
    one_way = tuple(_one_way(layout, blocks, f) for f in range(len(layout.groups)))
    weights = tuple(
        1.0 / (variance + MODEL_ERROR_WEIGHT * expected / rows)
        for expected in _expected_shares(layout, classes, one_way)
    )
    return SketchTargets(
        layout=layout,
        rows=rows,
        class_shares=classes,
        one_way=one_way,
        blocks=blocks,
        weights=weights,
        noise_variance=variance,
    )


def _class_totals(
    layout: SketchLayout, counts: list[Counts], noise_std: float
) -> tuple[Shares, float]:
    """Average the records per class over all blocks, by inverse noise; with its standard error.

    A block's total carries the noise of all its cells, so small blocks tell it best.
    """
    cells = np.array([block[0].size for block in counts], dtype=np.float64)
    precision = 1.0 / cells
    totals = np.stack([block.reshape(layout.num_classes, -1).sum(1) for block in counts])
    average: Shares = precision @ totals / precision.sum()
    return average, noise_std / float(precision.sum()) ** 0.5


def _one_way(layout: SketchLayout, blocks: tuple[Shares, ...], feature: int) -> Shares:
    """Average the totals of ``feature`` over all blocks that hold it, by inverse noise."""
    estimate = np.zeros((layout.num_classes, layout.group_sizes[feature]))
    weight = 0.0
    for (a, b), block in zip(layout.pairs, blocks, strict=False):
        if feature in (a, b):
            summed = block.shape[2] if feature == a else block.shape[1]
            estimate += block.sum(2 if feature == a else 1) / summed
            weight += 1.0 / summed
    for single, block in zip(layout.singles, blocks[len(layout.pairs) :], strict=True):
        if single == feature:
            summed = block.shape[1] / layout.group_sizes[feature]
            estimate += _sum_groups(layout, feature, block) / summed
            weight += 1.0 / summed
    return np.maximum(estimate / weight, 0.0)


def _sum_groups(layout: SketchLayout, feature: int, fine: Shares) -> Shares:
    grouped = np.zeros((fine.shape[0], layout.group_sizes[feature]))
    np.add.at(grouped.T, layout.groups[feature], fine.T)
    return grouped


def _expected_shares(
    layout: SketchLayout, classes: Shares, one_way: tuple[Shares, ...]
) -> list[Shares]:
    """Shares if features were independent given the label: enough to say how large a cell is."""
    pairs = [
        one_way[a][:, :, None] * one_way[b][:, None, :] / classes[:, None, None]
        for a, b in layout.pairs
    ]
    singles = []
    for feature in layout.singles:
        groups = layout.groups[feature]
        per_group = np.bincount(groups, minlength=layout.group_sizes[feature])
        singles.append((one_way[feature] / per_group)[:, groups])
    return pairs + singles
