"""From pooled noisy counts of the hold-out to the figures of a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.evaluation.distances import TWO_SIDED, NoisyBlocks
from synthesis.evaluation.estimate import Estimate
from synthesis.evaluation.layout import (
    EvaluationLayout,
    compute_one_way,
    compute_two_way,
    split_blocks,
)
from synthesis.evaluation.ranking import estimate_auc
from synthesis.evaluation.scores import SCORE_BINS
from synthesis.layout import Counts

DRAWS = 40
LARGEST_DRAW = 20_000
"""Synthetic rows of a simulated hold-out at most; a larger one is drawn smaller and scaled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyCounts:
    """One pooled release from the hold-outs, and the standard deviation of its noise."""

    values: Counts
    noise_std: float


@dataclass(frozen=True, kw_only=True)
class HoldOutFigures:
    """How good synthetic rows are for the population behind the hold-outs.

    Attributes:
        units: hold-out units of all sites.
        one_way: mean total variation distance of all columns at full resolution.
        two_way: mean total variation distance of all pairs of columns on coarse groups.
        auc: how well a network trained on synthetic rows ranks the label's last level above the
            others, in bins of its score.
    """

    units: Estimate
    one_way: Estimate
    two_way: Estimate
    auc: Estimate


def estimate_figures(
    layout: EvaluationLayout,
    synthetic: NDArray[np.integer],
    *,
    one_way: NoisyCounts,
    two_way: NoisyCounts,
    scores: NoisyCounts,
    rng: np.random.Generator,
) -> HoldOutFigures:
    """Return all figures; post-processing of what was released.

    Args:
        layout: where the one-way and two-way counts lie.
        synthetic: synthetic rows as codes, ``(n_rows, n_columns)``, at least one.
        one_way: pooled one-way counts.
        two_way: pooled two-way counts.
        scores: pooled histograms of scores.
        rng: public randomness.
    """
    released = [
        (one_way, layout.sizes),
        (two_way, layout.pair_sizes),
        (scores, (2 * SCORE_BINS,)),
    ]
    units, error = _estimate_units(released)
    size = max(1.0, units)
    draws = _draw(layout, synthetic, size, rng)
    distances = []
    for (counts, sizes), chance, compute in zip(
        released[:2], draws, (compute_one_way, compute_two_way), strict=True
    ):
        blocks = NoisyBlocks(
            noisy=counts.values,
            sizes=sizes,
            noise_std=counts.noise_std,
            units=size,
            units_std=error,
            reference=compute(layout, synthetic) / len(synthetic),
            chance=chance,
        )
        told = units > TWO_SIDED * error
        found = blocks.estimate_distance(rng)
        distances.append(found if told else Estimate(value=found.value, low=0.0, high=1.0))
    reach = TWO_SIDED * error
    return HoldOutFigures(
        units=Estimate(value=max(0.0, units), low=max(0.0, units - reach), high=size + reach),
        one_way=distances[0],
        two_way=distances[1],
        auc=estimate_auc(scores.values, scores.noise_std, rng),
    )


def _estimate_units(
    released: list[tuple[NoisyCounts, tuple[int, ...]]],
) -> tuple[float, float]:
    """Average the totals of all blocks by inverse variance; every unit is in every block once."""
    totals, variances = [], []
    for counts, sizes in released:
        totals += [block.sum() for block in split_blocks(counts.values, sizes)]
        variances += [max(counts.noise_std, 1e-9) ** 2 * size for size in sizes]
    precision = 1 / np.array(variances)
    return float(precision @ np.array(totals) / precision.sum()), float(precision.sum() ** -0.5)


def _draw(
    layout: EvaluationLayout,
    synthetic: NDArray[np.integer],
    units: float,
    rng: np.random.Generator,
) -> tuple[Counts, Counts]:
    """Return what drawing ``units`` units at random does to the counts, ``(DRAWS, n_cells)``."""
    rows = int(min(LARGEST_DRAW, max(1.0, units)))
    scale = (units / rows) ** 0.5
    drawn = [synthetic[rng.integers(len(synthetic), size=rows)] for _ in range(DRAWS)]
    chances = []
    for compute in (compute_one_way, compute_two_way):
        expected = compute(layout, synthetic) * (rows / len(synthetic))
        chances.append(scale * np.stack([compute(layout, each) - expected for each in drawn]))
    return chances[0], chances[1]
