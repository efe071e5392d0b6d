"""Arithmetic on what the sites sent: plain NumPy, no messages.

All sums run in float64 and in an order that depends on the numbers only, so the result is the same
whichever site answered first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PooledSketch:
    """The sum of the sites' noisy statistics.

    Attributes:
        values: the sum, float64, shape ``(n_statistics,)``.
        noise_variance: variance of the noise in one entry, in units of the squared sensitivity.
    """

    values: NDArray[np.float64]
    noise_variance: float


def weighted_average(
    models: Sequence[Sequence[FloatArray]], weights: Sequence[float]
) -> list[FloatArray]:
    """Return the weighted mean of several models, array by array, in the dtype of the first.

    Args:
        models: one list of arrays per site, all of the same shapes.
        weights: one public, non-negative number per site; they need not sum to one.

    Raises:
        ValueError: if there is no model, or the weights do not fit.
    """
    if not models or len(models) != len(weights):
        raise ValueError(f"got {len(models)} models and {len(weights)} weights; need one each")
    shares = np.asarray(weights, dtype=np.float64)
    if not np.all(np.isfinite(shares)) or shares.min() < 0 or shares.sum() <= 0:
        raise ValueError("weights must be finite, not negative and not all zero")
    shares = shares / shares.sum()
    average: list[FloatArray] = []
    for arrays in zip(*models, strict=True):
        parts = [s * a.astype(np.float64) for s, a in zip(shares, arrays, strict=True)]
        average.append(sum_in_any_order(parts).astype(arrays[0].dtype))
    return average


def pool_sketches(
    sketches: Sequence[FloatArray], noise_multipliers: Sequence[float]
) -> PooledSketch:
    """Add up the sites' sketches; their independent noise adds up in variance.

    The plain sum is the unbiased estimate of the counts over all sites, also when sites differ in
    size or in noise.

    Args:
        sketches: flat vectors of the same length, each a noisy sum over one site's records.
        noise_multipliers: noise standard deviation of each, divided by the common sensitivity.

    Raises:
        ValueError: if there is no sketch, lengths differ or a noise multiplier is negative.
    """
    if not sketches or len(sketches) != len(noise_multipliers):
        raise ValueError(
            f"got {len(sketches)} sketches and {len(noise_multipliers)} noise multipliers; "
            "need one each"
        )
    if len({sketch.shape for sketch in sketches}) != 1 or sketches[0].ndim != 1:
        raise ValueError("sketches must be flat vectors of the same length")
    if min(noise_multipliers) < 0:
        raise ValueError(f"noise_multipliers must be >= 0, got {min(noise_multipliers)}")
    values = sum_in_any_order([sketch.astype(np.float64) for sketch in sketches])
    variance = float(np.sum(np.sort(np.square(np.asarray(noise_multipliers, dtype=np.float64)))))
    return PooledSketch(values=values, noise_variance=variance)


def pool_by_noise(
    vectors: Sequence[FloatArray], noise_stds: Sequence[float]
) -> tuple[NDArray[np.float64], float]:
    """Add up vectors, each weighed by its precision, so that none drowns the others in noise.

    The least noisy weighs one; with the same noise everywhere this is the plain sum.

    Args:
        vectors: flat, of the same length, each a noisy sum over one site's units.
        noise_stds: standard deviation of the noise of each, > 0.

    Returns:
        The weighted sum, and the standard deviation of its noise.
    """
    variances = np.square(np.asarray(noise_stds, dtype=np.float64))
    weights = variances.min() / variances
    parts = [w * v.astype(np.float64) for w, v in zip(weights, vectors, strict=True)]
    pooled = float(np.sum(np.sort(np.square(weights) * variances)))
    return sum_in_any_order(parts), pooled**0.5


def sum_in_any_order(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum of equally shaped arrays, bit for bit the same for every order of them."""
    ordered = np.sort(np.stack(arrays), axis=0)  # (n_sites, ...)
    total = np.zeros(ordered.shape[1:], dtype=np.float64)
    for part in ordered:
        total += part
    return total
