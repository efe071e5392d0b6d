"""How much noise a plan puts into the sketch, and how far the rows stand out of it. Exact."""

from __future__ import annotations

import math
from dataclasses import dataclass

from privacy import SitePlan
from server.planning.circumstances import Circumstances
from synthesis.layout import PAIR_SCALE, SketchLayout


@dataclass(frozen=True, kw_only=True)
class SketchNoise:
    """The noise of a sketch, in rows (or persons).

    Attributes:
        blocks: tables of counts in a sketch.
        cells: counts in a sketch.
        site_std: standard deviation of the noise in every count of a pair at one site.
        pooled_std: the same in the sum over all sites, each of which adds noise by itself.
        signal: rows of all sites over the noise of a table's total (the sum of all its cells), for
            a table of average size. At 1 the noise of that total is as large as the study.
        site_signals: the same for each site and its own sketch.
    """

    blocks: int
    cells: int
    site_std: float
    pooled_std: float
    signal: float
    site_signals: tuple[float, ...]


def compute_noise(plan: SitePlan, circumstances: Circumstances) -> SketchNoise:
    """Return the noise that every site would add by this plan.

    Raises:
        ValueError: if the plan has no sketch.
    """
    if plan.sketch_noise_multiplier is None:
        raise ValueError("plan must have a sketch; adversarial_share must be below 1.")
    layout, units = circumstances.layout, circumstances.units
    multiplier = plan.sketch_noise_multiplier
    pooled = compute_signal(sum(units), len(units), multiplier, layout)
    return SketchNoise(
        blocks=len(layout.pairs) + len(layout.singles),
        cells=layout.dimension,
        site_std=multiplier * layout.sensitivity / PAIR_SCALE,
        pooled_std=multiplier * layout.sensitivity / PAIR_SCALE * len(units) ** 0.5,
        signal=pooled,
        site_signals=tuple(compute_signal(n, 1, multiplier, layout) for n in units),
    )


def compute_signal(
    total_units: int, num_sites: int, noise_multiplier: float, layout: SketchLayout
) -> float:
    """Return the units of all sites over the noise of the total of a table of average size.

    Args:
        total_units: rows, or persons, of all sites together.
        num_sites: how many add noise.
        noise_multiplier: of each site's sketch.
        layout: of the sketch; only its number of blocks and cells and its sensitivity count.
    """
    cells_of_a_block = layout.dimension / len(layout.blocks)
    noise = noise_multiplier * layout.sensitivity / PAIR_SCALE
    return total_units / (noise * math.sqrt(num_sites * cells_of_a_block))


def find_worthwhile(units: tuple[int, ...]) -> int:
    """Return how many of the largest sites give the sum of sketches its largest signal.

    Every site brings the same noise variance, so the signal of the k largest grows with their units
    over the root of k: a site with fewer than about half the average of the others lowers it.
    """
    largest = sorted(units, reverse=True)
    signals = [sum(largest[:k]) / k**0.5 for k in range(1, len(largest) + 1)]
    return 1 + max(range(len(signals)), key=lambda k: (signals[k], k))
