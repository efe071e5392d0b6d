"""How far the synthetic rows are from the population behind the hold-out, told from noisy counts.

Noise and the draw of the hold-out both push the plain distance of noisy counts upwards, at small
epsilon far above the truth. So the distance is found by test inversion: for families of possible
populations, from the synthetic rows onwards, the release is simulated, and those stay whose
squared gap to the synthetic rows agrees with the observed one. The same squared gap may be many
small differences or a few large ones, which are different distances; so there is one family for
each extreme and one between, and the interval holds what any of them allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synthesis.evaluation.estimate import Estimate
from synthesis.evaluation.layout import split_blocks
from synthesis.layout import Counts

TWO_SIDED = 1.96
REACH = 2.4
"""Standard deviations to each side; beyond 1.96, because the families only resemble the truth."""
REFUTED = 3.0
"""Standard deviations of misfit beyond which a population cannot have given the counts."""
STEPS = 16
Family = Callable[[float], Counts]
Statistic = Callable[[Counts], Counts]


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyBlocks:
    """Blocks of counts of the same units, released under one noise.

    Attributes:
        noisy: pooled noisy counts, ``(n_cells,)``.
        sizes: cells of every block.
        noise_std: standard deviation of the noise in every cell.
        units: estimated number of units, > 0.
        units_std: its standard error.
        reference: synthetic shares, ``(n_cells,)``, each block adding up to one.
        chance: what the draw of the hold-out alone may do to the counts, ``(n_draws, n_cells)``,
            from resampled synthetic rows, since all blocks count the same units.
    """

    noisy: Counts
    sizes: tuple[int, ...]
    noise_std: float
    units: float
    units_std: float
    reference: Counts
    chance: Counts

    def estimate_distance(self, rng: np.random.Generator) -> Estimate:
        """Return the mean total variation distance of all blocks, with its 95 % interval."""
        seed = int(rng.integers(2**32))
        few, some = (self._invert(family, seed) for family in (self._keep_largest, self._between))
        found = [few, some]
        many = self._invert(self._level, seed)
        if not self._is_refuted(self._level, many, seed):
            found.append(many)
        return Estimate(
            value=(few.value + some.value) / 2,
            low=min(each.low for each in found),
            high=max(each.high for each in found),
        )

    @cached_property
    def _noisy_shares(self) -> Counts:
        return self._project(self.noisy / self.units)

    def _between(self, step: float) -> Counts:
        """Differ from the synthetic rows where and how the noisy counts do, to a degree."""
        change = self._noisy_shares - self.reference
        toward = self.reference + 2 * step**2 * change  # from 1 on past the noisy counts
        return self._project(toward)

    def _keep_largest(self, step: float) -> Counts:
        """Differ in few cells, those where the noisy counts differ most."""
        change = self.noisy / self.units - self.reference
        kept = np.abs(change) >= np.quantile(np.abs(change), 1 - step**2)
        return self._project(self.reference + np.where(kept, change, 0.0))

    def _level(self, step: float) -> Counts:
        """Differ a little in every cell, whatever the noisy counts say."""
        even = np.concatenate([np.full(size, 1 / size) for size in self.sizes])
        shares: Counts = self.reference + step**2 * (even - self.reference)
        return shares

    def _invert(self, family: Family, seed: int) -> Estimate:
        """Return the distances at which the observed gap is just too large, likely, too small."""
        steps = np.linspace(0, 1, STEPS)
        populations = [family(float(step)) for step in steps]
        surprises = [self._surprise(each, self.reference, seed) for each in populations]
        falling = np.minimum.accumulate(surprises)
        at = np.interp([-REACH, 0.0, REACH], falling[::-1], steps[::-1])
        distances = np.maximum.accumulate([self._distance(each) for each in populations])
        high, value, low = (float(distance) for distance in np.interp(at, steps, distances))
        return Estimate(value=value, low=low, high=high)

    def _is_refuted(self, family: Family, found: Estimate, seed: int) -> bool:
        """Whether even the likely member of a family is too far from the counts themselves."""
        steps = np.linspace(0, 1, STEPS)
        distances = [self._distance(family(float(step))) for step in steps]
        likely = family(float(np.interp(found.value, distances, steps)))
        return self._surprise(likely, likely, seed) > REFUTED

    def _surprise(self, population: Counts, around: Counts, seed: int) -> float:
        """Return how many standard deviations the observed gap is above that of a population."""
        rng = np.random.default_rng(seed)  # the same noise for all, so that they can be compared
        noise = rng.normal(0.0, self.noise_std, size=self.chance.shape)
        units = self.units + rng.normal(0.0, self.units_std, size=(len(noise), 1))
        counts = self.units * population + self.chance + noise
        simulated = self._squared_gaps(counts / np.maximum(units, 1.0), around)
        observed = self._squared_gaps(self.noisy[None] / self.units, around)[0]
        return float((observed - simulated.mean()) / max(float(simulated.std()), 1e-12))

    def _squared_gaps(self, shares: Counts, around: Counts) -> Counts:
        """Return the sum of squared gaps, one per row; each block is first made to add up."""
        gaps = self._map_blocks(_center, shares - around)
        squares: Counts = np.square(gaps).sum(axis=1)
        return squares

    def _distance(self, shares: Counts) -> float:
        return compute_distance(shares, self.reference, self.sizes)

    def _project(self, shares: Counts) -> Counts:
        """Return the nearest distribution to every block."""
        nearest: Counts = self._map_blocks(project_on_simplex, shares[None])[0]
        return nearest

    def _map_blocks(self, change: Statistic, rows: Counts) -> Counts:
        return np.concatenate([change(block) for block in split_blocks(rows, self.sizes)], axis=1)


def compute_distance(one: Counts, other: Counts, sizes: tuple[int, ...]) -> float:
    """Return the mean total variation distance of blocks of shares."""
    blocks = split_blocks(np.abs(one - other), sizes)
    return float(np.mean([0.5 * block.sum() for block in blocks]))


def project_on_simplex(rows: Counts) -> Counts:
    """Return the nearest distribution to every row (Duchi et al. 2008, Figure 1)."""
    ordered = -np.sort(-rows, axis=1)
    excess = (np.cumsum(ordered, axis=1) - 1.0) / np.arange(1, rows.shape[1] + 1)
    last = np.count_nonzero(ordered > excess, axis=1) - 1
    nearest: Counts = np.maximum(rows - excess[np.arange(len(rows)), last][:, None], 0.0)
    return nearest


def _center(rows: Counts) -> Counts:
    centered: Counts = rows - rows.mean(axis=1, keepdims=True)
    return centered
