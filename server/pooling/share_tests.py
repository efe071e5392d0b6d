"""Tests of whether two groups of sites have the same shares, told from noisy sketches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from strategies.aggregation import PooledSketch
from synthesis.coverage import coverage_of
from synthesis.evaluation.distances import project_on_simplex
from synthesis.layout import SketchLayout
from synthesis.targets import average_totals, class_totals

LEVEL: Final = 0.01
"""Chance, at most, that any share is said to conflict though all sites are alike."""
_DRAWS: Final = 256
"""Of noise and people, over which the distance that they make is averaged."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """Noisy shares of a column or a pair: flat, their noise variance, and of how many rows.

    Attributes:
        values: the shares.
        noise: variance of the noise in each.
        rows: rows that would tell the shares as exactly, noise aside.
    """

    values: Floats
    noise: Floats
    rows: float


def find_shares(
    layout: SketchLayout, sketch: PooledSketch, *, rows: float, drawn: float
) -> list[Shares | None]:
    """Return the shares of all columns, then of the pairs of ``layout.pairs``; None if untold.

    Args:
        layout: where the counts lie.
        sketch: of some sites.
        rows: how many rows it is of.
        drawn: how many would tell shares as exactly, noise aside.
    """
    counts, coverage = list(layout.split(sketch.values)), coverage_of(layout, sketch.coverage)
    std, untold = sketch.noise_variance**0.5 * layout.sensitivity, coverage.find_untold(layout)
    overall = [
        (block, count, float(part[0]), float(noise[0]))
        for block, count, part, noise in zip(
            layout.blocks, counts, coverage.rows, coverage.noise, strict=True
        )
        if not block.is_given_label
    ]
    found: list[Shares | None] = []
    for feature in range(len(layout.groups)):
        if feature in untold:
            found.append(None)
            continue
        totals, precision = average_totals(
            layout, counts, feature, is_given_label=False, coverage=coverage
        )
        part = max(part for block, _, part, _ in overall if feature in block.features)
        noise = std**2 / precision[0] / rows**2
        found.append(Shares(values=totals[0] / rows, noise=noise, rows=drawn * part))
    classes, class_std = class_totals(layout, counts, std, coverage)
    label_noise = np.full(len(classes), (class_std / rows) ** 2)
    label = Shares(values=classes / rows, noise=label_noise, rows=drawn)
    found.insert(layout.label_index, label)
    pairs = [
        Shares(
            values=count.ravel() / rows,
            noise=np.full(count.size, (std * noise / block.scale / rows) ** 2),
            rows=drawn * part,
        )
        if part > 0
        else None
        for block, count, part, noise in overall
        if len(block.features) == 2
    ]
    return found + pairs


def compare_shares(mine: Shares | None, theirs: Shares | None) -> tuple[float, float]:
    """Return the p-value that both have the same shares, and their distance.

    What one of them does not tell cannot differ: the p-value is 1 and the distance 0.

    The squared differences over their variances add up to a chi-square: of as many degrees of
    freedom as there are groups where noise rules, and of one less where the draw of people does
    (Pearson 1900). The former is taken. The distance is the total variation, in [0, 1], between the
    distributions nearest to both: noise makes it larger, though not larger than 1.
    """
    if mine is None or theirs is None:
        return 1.0, 0.0
    rows = mine.rows + theirs.rows
    drawn = np.maximum(_pool(mine, theirs), 1 / rows) * (1 / mine.rows + 1 / theirs.rows)
    gaps = mine.values - theirs.values
    statistic = float((np.square(gaps) / (mine.noise + theirs.noise + drawn)).sum())
    distance = _measure(mine.values[None], theirs.values[None])
    return float(chi2.sf(statistic, len(gaps))), distance


def expect_distance(mine: Shares, theirs: Shares) -> float:
    """Return the mean distance of shares that are the same, by noise and the draw of people."""
    pooled = project_on_simplex(_pool(mine, theirs)[None])
    rng = np.random.default_rng(0)  # the same draws for all: nothing private is in them

    def stray(shares: Shares) -> Floats:
        noise, people = rng.normal(size=(2, _DRAWS, pooled.size))
        drawn = np.sqrt(pooled) * people
        drawn -= pooled * drawn.sum(1, keepdims=True)  # of a multinomial, which adds up
        return np.asarray(pooled + np.sqrt(shares.noise) * noise + drawn / shares.rows**0.5)

    return _measure(stray(mine), stray(theirs))


def _measure(one: Floats, other: Floats) -> float:
    """Return the mean total variation of the distributions nearest to shares, row by row."""
    gaps = np.abs(project_on_simplex(one) - project_on_simplex(other)).sum(1)
    return float(gaps.mean() / 2)


def _pool(mine: Shares, theirs: Shares) -> Floats:
    rows = mine.rows + theirs.rows
    return np.clip((mine.values * mine.rows + theirs.values * theirs.rows) / rows, 0.0, 1.0)


def find_beyond(p_values: Floats) -> NDArray[np.bool_]:
    """Return which of many tests find more than chance, at ``LEVEL`` for all of them together.

    Reference: Holm 1979.
    """
    flat = p_values.ravel()
    order = np.argsort(flat)
    limits = LEVEL / np.arange(len(flat), 0, -1)
    passed = np.logical_and.accumulate(flat[order] <= limits)
    found = np.zeros(len(flat), dtype=np.bool_)
    found[order[passed]] = True
    return found.reshape(p_values.shape)
