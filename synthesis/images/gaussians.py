"""From the noisy sketch to one Gaussian of coefficients per class: what is signal, and no noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.images.sketch import CONSTANT, DIAGONAL, Counts, ImageLayout

POOLED = 0.3
"""Part of a class's covariance that is taken from all classes together, where noise is smaller."""
CUT = 0.7
"""Directions are kept whose variance is above this part of what noise alone would make at most:
eigenvalues of a symmetric matrix of noise reach up to 2 s sqrt(n) (Wigner 1955)."""
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


def estimate_gaussians(layout: ImageLayout, flat: Counts, noise_std: float) -> ClassGaussians:
    """Estimate the Gaussian of each class; post-processing.

    Args:
        layout: where the numbers lie.
        flat: the noisy sketch.
        noise_std: standard deviation of the noise in each of its numbers.
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
    factors = np.stack(
        [_find_factors(each, edge * remaining) for each, edge in zip(mixed, edges, strict=True)]
    )
    return ClassGaussians(shares=rows / rows.sum(), means=means, factors=factors)


def _find_factors(covariance: Counts, edge: float) -> Counts:
    """Return the directions that stand out of noise, each times its standard deviation."""
    variances, directions = np.linalg.eigh(covariance)
    most = min(MOST_DIRECTIONS, len(variances))
    kept = np.where(variances > max(edge, 0.0), variances, 0.0)[::-1][:most]
    return np.asarray(np.sqrt(kept)[:, None] * directions[:, ::-1].T[:most])
