"""The sites' sketches as one, though some may be bad; and which sites differ beyond chance.

A sketch divided by the rows that it suggests is a list of shares, which a site cannot make larger
by multiplying it. The shares are combined by the study's rule and scaled to all sites' rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray, PooledSketch
from strategies.rules.held import HeldRule, Stack, Vector
from strategies.rules.nearest import square_distances

LEVEL: Final = 0.01
"""Chance, at most, that any site is said to differ though all have rows of one population."""
_DRAWS = 2**16
_MOST_NUMBERS = 2**24


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteSketches:
    """The sketches of several sites, in the order of nodes.

    Attributes:
        shares: each sketch divided by its rows, float32, ``(n_sites, n_statistics)``.
        rows: that each sketch suggests, ``(n_sites,)``, >= 1.
        noise_multipliers: that each site states, ``(n_sites,)``.
        canaries: that each site planted, half of each taken out, ``(n_sites,)``.
    """

    shares: Stack
    rows: Vector
    noise_multipliers: Vector
    canaries: Vector

    @classmethod
    def of(
        cls,
        sketches: Sequence[FloatArray],
        rows: Sequence[float],
        noise: Sequence[float],
        *,
        canaries: Sequence[int] = (),
    ) -> SiteSketches:
        """Divide each sketch by its rows.

        Args:
            sketches: flat, of one length.
            rows: that each suggests, >= 1.
            noise: the noise multiplier of each.
            canaries: of each; none at any site if left out.
        """
        pairs = zip(sketches, rows, strict=True)
        return cls(
            shares=np.stack([(s / np.float64(r)).astype(np.float32) for s, r in pairs]),
            rows=np.asarray(rows, dtype=np.float64),
            noise_multipliers=np.asarray(noise, dtype=np.float64),
            canaries=np.asarray(canaries or [0] * len(rows), dtype=np.float64),
        )


def pool_robustly(sketches: SiteSketches, rule: HeldRule, rng: np.random.Generator) -> PooledSketch:
    """Combine sketches by a rule, as if all sites' rows had the shares that it gives.

    Of the largest numbers of rows, and of the largest noise multipliers, as many as sites may be
    bad count as the next one, so a bad site moves neither beyond what a good one has. The noise is
    that of the same rule on normal draws as noisy as each site: for a median of many equal sites
    pi / 2 times the variance of their mean.

    Args:
        sketches: of all sites.
        rule: chooses and combines.
        rng: public randomness for the draws.
    """
    rows = cap_largest(sketches.rows, rule.bad_sites)
    noise = cap_largest(sketches.noise_multipliers, rule.bad_sites)
    chosen = rule.select(sketches.shares)
    total, weights = float(rows.sum()), rows[chosen]
    spread = _spread(rule, (noise / sketches.rows)[chosen], weights, rng)
    return PooledSketch(
        values=total * rule.combine_shares(sketches.shares[chosen], weights),
        noise_variance=(total * spread) ** 2,
    )


def cap_largest(values: Vector, number: int) -> Vector:
    """Return values of which the ``number`` largest are as large as the next one."""
    capped: Vector = np.minimum(values, np.sort(values)[-1 - number])
    return capped


def count_differing(sketches: SiteSketches, sensitivity: float, *, level: float = LEVEL) -> Vector:
    """Return from how many of the others each site differs beyond what chance explains.

    Rows of one population give sketches that differ by noise, and because other people are in
    them. So do the coins of canaries, which leave half of each too much or too little: each moves
    a norm by 1 at most where a person may move it by sqrt(2), so two count as one person. The
    squared distance of two sites' shares stays, with the chance of one minus the level
    for all pairs together, below the sum of three bounds: of the noise (Laurent and Massart 2000,
    lemma 1), of the draw of people (Gretton et al. 2012, "A Kernel Two-Sample Test", theorem 7)
    and of their product.

    Args:
        sketches: of all sites; their rows are taken as they are.
        sensitivity: what one unit adds to a sketch, as a norm.
        level: chance of naming any pair falsely, in (0, 1).
    """
    distances, size = square_distances(sketches.shares), sketches.shares.shape[1]
    number = len(distances)
    x = math.log(3 * number * (number - 1) / 2 / level)
    noise = np.square(sensitivity * sketches.noise_multipliers / sketches.rows)
    variance = noise[:, None] + noise[None, :]
    chance = (sketches.rows + sketches.canaries / 2) / np.square(sketches.rows)
    people = chance[:, None] + chance[None, :]
    drawn = sensitivity * np.sqrt(people) * (1 + math.sqrt(x))
    bound = variance * (size + 2 * math.sqrt(size * x) + 2 * x)
    bound += np.square(drawn) + 2 * np.sqrt(2 * x * variance) * drawn
    counts: Vector = np.sum(distances > bound, axis=1).astype(np.float64)
    return counts


def _spread(rule: HeldRule, stds: Vector, weights: Vector, rng: np.random.Generator) -> float:
    """Return the standard deviation of what the rule makes of independent normal noise."""
    draws = min(_DRAWS, max(1024, _MOST_NUMBERS // len(stds)))
    noise: NDArray[np.float32] = rng.standard_normal((len(stds), draws), dtype=np.float32)
    noise *= stds[:, None].astype(np.float32)
    return float(np.sqrt(np.mean(np.square(rule.combine_shares(noise, weights)))))
