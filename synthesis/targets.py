"""What the coordinator knows after the sketch: noisy shares, and how far each may be trusted.

Everything here is post-processing of released statistics. Blocks that tell the same fact (the
column totals inside every pair of a column) are averaged with weights that follow their noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthesis.coverage import Coverage, spread
from synthesis.layout import Counts, SketchLayout

MODEL_ERROR_WEIGHT = 1.0
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
        blocks: per block, the noisy shares, in the order of ``layout.blocks``.
        weights: per block, inverse variances with a term for the model's own error; 0 in blocks
            that no site tells.
        noise_variances: per block, the variance of the noise in a share, of every class; in the
            form in which it meets the shares.
        noise_std: of an entry of the pooled sketch that all sites tell.
    """

    layout: SketchLayout
    rows: float
    class_shares: Shares
    one_way: tuple[Shares, ...]
    blocks: tuple[Shares, ...]
    weights: tuple[Shares, ...]
    noise_variances: tuple[Shares, ...]
    noise_std: float

    @property
    def expected_loss(self) -> float:
        """Weighted squared error that the noise alone causes: what the truth itself would score."""
        pairs = zip(self.weights, self.noise_variances, strict=True)
        return sum(float((weight * variance).sum()) for weight, variance in pairs)

    @property
    def loss_spread(self) -> float:
        """Standard deviation of the truth's score, relative to ``expected_loss``."""
        pairs = zip(self.weights, self.noise_variances, strict=True)
        energy = sum(float(np.square(weight * variance).sum()) for weight, variance in pairs)
        return float((2.0 * energy) ** 0.5 / self.expected_loss)


def make_targets(
    layout: SketchLayout, pooled: Counts, noise_std: float, coverage: Coverage | None = None
) -> SketchTargets:
    """Turn a pooled noisy sketch into targets for the generator.

    Args:
        layout: where the counts lie.
        pooled: sum of the sites' noisy sketches, ``(layout.dimension,)``.
        noise_std: standard deviation of the noise in every entry of ``pooled``, >= 0.
        coverage: what stands behind its blocks, where some sites lack columns.
    """
    coverage = coverage or Coverage.of_site(layout)
    counts = list(layout.split(pooled))
    totals, total_std = class_totals(layout, counts, noise_std, coverage)
    rows = max(_count_rows(totals), total_std * layout.num_classes**0.5)
    blocks = tuple(block / rows for block in counts)
    variances = tuple(
        np.maximum(spread(np.square(noise * noise_std / block.scale / rows), block), 1e-16)
        for noise, block in zip(coverage.noise, layout.blocks, strict=True)
    )
    # A class that noise has pushed below half its own standard error may still be there.
    positive = np.maximum(totals, max(0.5 * total_std, 1e-6 * rows))
    classes = positive / positive.sum()
    one_way = tuple(_one_way(layout, blocks, f, coverage) for f in range(len(layout.groups)))
    expected = expected_shares(layout, classes, one_way)
    weights = tuple(
        _weigh(variance, shares, rows * spread(told, block))
        for variance, shares, told, block in zip(
            variances, expected, coverage.rows, layout.blocks, strict=True
        )
    )
    return SketchTargets(
        layout=layout,
        rows=rows,
        class_shares=classes,
        one_way=one_way,
        blocks=blocks,
        weights=weights,
        noise_variances=variances,
        noise_std=noise_std,
    )


def estimate_rows(layout: SketchLayout, sketch: Counts, coverage: Coverage | None = None) -> float:
    """Return how many rows, or persons, a noisy sketch suggests, at least 1.

    Args:
        layout: where the counts lie.
        sketch: ``(layout.dimension,)``.
        coverage: what stands behind its blocks; follows from the layout where left out.
    """
    return _count_rows(class_totals(layout, list(layout.split(sketch)), 0.0, coverage)[0])


def _weigh(variances: Shares, expected: Shares, rows: Shares) -> Shares:
    """Return the weight of every share that is told by so many rows, 0 where there are none."""
    weights = 1.0 / (variances + MODEL_ERROR_WEIGHT * expected / np.maximum(rows, 1.0))
    return np.where(rows > 0, weights, 0.0)


def perturb(targets: SketchTargets, members: int, rng: np.random.Generator) -> list[SketchTargets]:
    """Return targets for every member of a generator, each with fresh noise added.

    The fresh noise is as strong as that of the sketch, and comes in pairs of opposite sign, so that
    it cancels in the mixture of all members; what members have made of it does not, and cancels no
    less where it was made of the sketch's own noise (bagging, Breiman 1996). One member gets the
    targets as they are.

    Args:
        targets: what is known.
        members: number of members, >= 1.
        rng: public randomness.
    """
    if members == 1:
        return [targets]
    variances = tuple(2.0 * variance for variance in targets.noise_variances)
    weights = tuple(
        weight / (1.0 + weight * variance)
        for weight, variance in zip(targets.weights, targets.noise_variances, strict=True)
    )
    several = []
    for member in range(members):
        if member % 2 == 0:
            noise = [
                rng.normal(0.0, variance**0.5, shares.shape)
                for shares, variance in zip(targets.blocks, targets.noise_variances, strict=True)
            ]
        sign = 1 if member % 2 == 0 else -1
        several.append(
            replace(
                targets,
                blocks=tuple(
                    shares + sign * extra
                    for shares, extra in zip(targets.blocks, noise, strict=True)
                ),
                weights=weights,
                noise_variances=variances,
                noise_std=targets.noise_std * 2**0.5,
            )
        )
    return several


def _count_rows(totals: Shares) -> float:
    return max(1.0, float(totals.sum()))


def class_totals(
    layout: SketchLayout,
    counts: Sequence[Counts],
    noise_std: float,
    coverage: Coverage | None = None,
) -> tuple[Shares, float]:
    """Average the units per class over all blocks given the label, with its standard error.

    A block's total carries the noise of all its cells, so small blocks tell it best.

    Args:
        layout: where the counts lie.
        counts: per block.
        noise_std: of every entry of the sketch.
        coverage: what stands behind its blocks; follows from the layout where left out.

    Returns:
        Totals, ``(classes,)``, and the largest of their standard errors.
    """
    given = [
        (count.reshape(layout.num_classes, -1), block.scale, precision)
        for count, block, precision in zip(
            counts,
            layout.blocks,
            (coverage or Coverage.of_site(layout)).precisions,
            strict=True,
        )
        if block.is_given_label
    ]
    precision = np.stack([scale**2 / count.shape[1] * told for count, scale, told in given])
    totals = np.stack([count.sum(1) for count, _, _ in given])
    average: Shares = (precision * totals).sum(0) / precision.sum(0)
    return average, noise_std / float(precision.sum(0).min()) ** 0.5


def _one_way(
    layout: SketchLayout, blocks: tuple[Shares, ...], feature: int, coverage: Coverage
) -> Shares:
    """Average the totals of ``feature`` over all blocks that hold it, by inverse noise.

    Blocks over all labels tell the sum over classes alone, and correct every class by as much.
    """
    given, overall = (
        average_totals(layout, blocks, feature, is_given_label=is_given_label, coverage=coverage)
        for is_given_label in (True, False)
    )
    shares, precision = given
    # The sum over classes, told twice: by the classes, each with noise of its own, and overall.
    share = overall[1] / (overall[1] + 1 / (1 / precision).sum(0))
    corrected: Shares = shares + share * (overall[0] - shares.sum(0)) / layout.num_classes
    return np.maximum(corrected, 0.0)


def average_totals(
    layout: SketchLayout,
    blocks: Sequence[Shares],
    feature: int,
    *,
    is_given_label: bool,
    coverage: Coverage | None = None,
) -> tuple[Shares, Shares]:
    """Return what all blocks of a feature say together about its groups, by inverse noise.

    Args:
        layout: where the counts lie.
        blocks: per block, shares or counts.
        feature: numbered among the features; one that is told.
        is_given_label: which blocks to look at: those given the label, or those over all labels.
        coverage: what stands behind the blocks; follows from the layout where left out.

    Returns:
        Averages, ``(classes or 1, groups)``, and by how much each is more precise than an entry of
        the sketch, of the same shape: its noise variance is that of an entry divided by this.
    """
    size = layout.group_sizes[feature]
    classes = layout.num_classes if is_given_label else 1
    total, precision = np.zeros((classes, size)), np.zeros((classes, size))
    precisions = (coverage or Coverage.of_site(layout)).precisions
    for block, shares, told_by in zip(layout.blocks, blocks, precisions, strict=True):
        if feature not in block.features or block.is_given_label is not is_given_label:
            continue
        if len(block.features) == 2:
            axis = 2 - block.features.index(feature)
            summed, told = np.full(size, block.shape[axis]), shares.sum(axis)
        else:
            groups = layout.groups[feature]
            summed, told = np.bincount(groups, minlength=size), _sum_groups(shares, groups, size)
        weight = block.scale**2 / summed * told_by[:, None]
        total += weight * told
        precision += weight
    return total / precision, precision


def _sum_groups(fine: Shares, groups: NDArray[np.int64], size: int) -> Shares:
    grouped = np.zeros((fine.shape[0], size))
    np.add.at(grouped.T, groups, fine.T)
    return grouped


def expected_shares(
    layout: SketchLayout, classes: Shares, one_way: tuple[Shares, ...]
) -> list[Shares]:
    """Return the shares if features were independent given the label, per block.

    That is enough to say how large a cell is.

    Args:
        layout: where the counts lie.
        classes: share of every class.
        one_way: per feature, the class-conditional shares of its groups, ``(classes, groups)``.
    """
    several = []
    for block in layout.blocks:
        if len(block.features) == 2:
            a, b = (one_way[feature] for feature in block.features)
            shares = a[:, :, None] * b[:, None, :] / classes[:, None, None]
        else:
            (feature,) = block.features
            groups = layout.groups[feature]
            per_group = np.bincount(groups, minlength=layout.group_sizes[feature])
            shares = (one_way[feature] / per_group)[:, groups]
        several.append(shares if block.is_given_label else shares.sum(0, keepdims=True))
    return several
