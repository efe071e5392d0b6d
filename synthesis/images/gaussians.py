"""From the noisy sketch to one Gaussian of coefficients per class: what is signal, and no noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.images.sketch import CONSTANT, DIAGONAL, Counts, ImageLayout

POOLED = 0.3
"""Part of a class's covariance that is taken from all classes together, where noise is smaller."""
CUT = 0.7
"""Part of the largest variance that noise alone makes which is taken off each: eigenvalues of a
symmetric matrix of noise reach up to 2 s sqrt(n) (Wigner 1955). Directions below it are dropped."""
LABELLED_VARIETY = 1.4
"""Variance to draw, as a multiple of a class's own, where what is drawn gets the class that it
shows: images beyond a class then do no harm, and tell where it ends."""
_MOST_VARIANCE = 1.0
"""Over all directions: coefficients have a norm of at most 1."""
MOST_DIRECTIONS = 64
LEAST_IMAGES = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassGaussians:
    """A Gaussian of scaled coefficients for every class.

    Attributes:
        shares: of each class, adding up to 1.
        means: ``(num_classes, size)``.
        factors: ``(num_classes, directions, size)``; a draw is mean + z factors.
    """

    shares: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]


def estimate_gaussians(
    layout: ImageLayout, flat: Counts, noise_std: float, *, variety: float = 1.0
) -> ClassGaussians:
    """Estimate the Gaussian of each class; post-processing.

    Noise makes large variances larger, so what it alone could make is taken off each, and what is
    left is scaled to the sum over all directions, a trace, in which there is little noise. What a
    class's trace differs from that of all together counts by how much of it cannot be noise.

    Args:
        layout: where the numbers lie.
        flat: the noisy sketch.
        noise_std: standard deviation of the noise in each of its numbers.
        variety: variance of what is drawn as a multiple of that sum, > 0.
    """
    moments = layout.to_matrices(flat)
    rows = np.maximum(moments[:, 0, 0] / CONSTANT**2, LEAST_IMAGES)
    means = moments[:, 0, 1:] / (CONSTANT * rows[:, None])
    seconds = moments[:, 1:, 1:] / rows[:, None, None]
    covariances = seconds - means[:, :, None] * means[:, None, :]
    pooled = np.tensordot(rows, covariances, axes=1) / rows.sum()
    mixed = (1 - POOLED) * covariances + POOLED * pooled
    remaining = ((1 - POOLED) ** 2 + POOLED**2 / len(rows)) ** 0.5
    edges = CUT * 2 * (noise_std / DIAGONAL) * (layout.frequencies.size / 2) ** 0.5 / rows
    usual = np.trace(pooled)
    apart = np.trace(mixed, axis1=1, axis2=2) - usual
    noise = layout.frequencies.size * (remaining * noise_std / DIAGONAL / rows) ** 2
    totals = (usual + part_of_signal(np.square(apart), noise) * apart).clip(0.0, _MOST_VARIANCE)
    factors = np.stack(
        [
            _find_factors(each, edge * remaining, variety * total)
            for each, edge, total in zip(mixed, edges, totals, strict=True)
        ]
    )
    return ClassGaussians(shares=rows / rows.sum(), means=means, factors=factors)


def _find_factors(covariance: Counts, edge: float, total: float) -> Counts:
    """Return the directions that stand out of noise, each times its standard deviation.

    Args:
        covariance: with noise.
        edge: what is taken off every variance.
        total: of all variances that are left, once they are scaled.
    """
    variances, directions = np.linalg.eigh(covariance)
    most = min(MOST_DIRECTIONS, len(variances))
    kept = np.maximum(variances - max(edge, 0.0), 0.0)[::-1][:most]
    kept *= total / max(kept.sum(), np.finfo(np.float64).tiny)
    return np.asarray(np.sqrt(kept)[:, None] * directions[:, ::-1].T[:most])


def part_of_signal(
    square: NDArray[np.float64] | np.float64, noise: NDArray[np.float64] | np.float64
) -> NDArray[np.float64]:
    """Return by what a difference is to be scaled, 0 to 1 (James and Stein 1961).

    Args:
        square: of its norm.
        noise: what that would be by noise alone.
    """
    return np.asarray(1 - np.minimum(1.0, noise / np.maximum(square, 1e-12)))
