"""Arithmetic on what the sites sent: plain NumPy, no messages.

What a site sent is folded in as it comes and then forgotten, so memory does not grow with sites;
and sums are exact, so the result is the same whichever site answered first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PooledSketch:
    """The sum of the sites' noisy statistics.

    Attributes:
        values: the sum, float64, shape ``(n_statistics,)``.
        noise_variance: variance of the noise in one entry, in units of the squared sensitivity.
        coverage: what stands behind each block where some sites lack columns, as
            ``Coverage.to_vector`` gives it; None where all sites tell all blocks.
    """

    values: NDArray[np.float64]
    noise_variance: float
    coverage: NDArray[np.float64] | None = None


_FRACTION_BITS = 50
_LARGEST = 2.0**53


class ExactSum:
    """A sum of arrays, the same for every order of them, in memory that does not grow with them.

    Values are added in fixed point, whole numbers and fractions of ``2**-50`` apart, and integers
    add up to the same in any order (Demmel and Nguyen 2015, "Parallel Reproducible Summation").
    """

    def __init__(self) -> None:
        self.count = 0
        self._whole: NDArray[np.int64] | None = None
        self._fraction = np.zeros(0, dtype=np.int64)

    def add(self, values: NDArray[np.float64]) -> None:
        """Add one array.

        Raises:
            ValueError: if it has another shape than the first, or values beyond 2**53.
        """
        if self._whole is None:
            self._whole = np.zeros(values.shape, dtype=np.int64)
            self._fraction = np.zeros(values.shape, dtype=np.int64)
        if values.shape != self._whole.shape:
            raise ValueError(f"arrays must all have shape {self._whole.shape}, got {values.shape}")
        if values.size and not np.abs(values).max() <= _LARGEST:
            raise ValueError("values must be finite and at most 2**53 in size")
        whole = np.rint(values)  # so that what is left is exact, also of tiny negative values
        fraction = np.rint(np.ldexp(values - whole, _FRACTION_BITS)).astype(np.int64)
        self._fraction += fraction
        self._whole += whole.astype(np.int64) + (self._fraction >> _FRACTION_BITS)
        self._fraction &= (1 << _FRACTION_BITS) - 1
        self.count += 1

    @property
    def total(self) -> NDArray[np.float64]:
        """The sum, float64.

        Raises:
            ValueError: if nothing was added.
        """
        if self._whole is None:
            raise ValueError("a sum needs at least one array")
        fraction = np.ldexp(self._fraction.astype(np.float64), -_FRACTION_BITS)
        return np.asarray(self._whole + fraction, dtype=np.float64)


class WeightedAverage:
    """The weighted mean of models, array by array, folded in one model after another."""

    def __init__(self) -> None:
        self._sums: list[ExactSum] = []
        self._dtypes: list[np.dtype[Any]] = []
        self._weight = ExactSum()

    def add(self, model: Sequence[FloatArray], weight: float) -> None:
        """Fold in one model.

        Args:
            model: its arrays, of the same shapes for every model.
            weight: public, finite and not negative; weights need not sum to one.

        Raises:
            ValueError: if weight or arrays do not fit.
        """
        if not (np.isfinite(weight) and weight >= 0):
            raise ValueError(f"weights must be finite and not negative, got {weight}")
        if not self._sums:
            self._sums = [ExactSum() for _ in model]
            self._dtypes = [array.dtype for array in model]
        for total, array in zip(self._sums, model, strict=True):
            total.add(weight * array.astype(np.float64))
        self._weight.add(np.asarray(float(weight)))

    def mean(self) -> list[FloatArray]:
        """Return the mean of what was folded in, in the dtypes of the first model.

        Raises:
            ValueError: if there was no model, or all weights are zero.
        """
        if not self._sums or not self._weight.total > 0:
            raise ValueError("an average needs a model, and weights that are not all zero")
        return [
            (each.total / self._weight.total).astype(dtype)
            for each, dtype in zip(self._sums, self._dtypes, strict=True)
        ]


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
    if len(models) != len(weights):
        raise ValueError(f"got {len(models)} models and {len(weights)} weights; need one each")
    average = WeightedAverage()
    for model, weight in zip(models, weights, strict=True):
        average.add(model, weight)
    return average.mean()


class SketchSum:
    """The sum of the sites' sketches; their independent noise adds up in variance.

    The plain sum is the unbiased estimate of the counts over all sites, also when sites differ in
    size or in noise.
    """

    def __init__(self) -> None:
        self._values = ExactSum()
        self._variance = ExactSum()

    def add(self, sketch: FloatArray, noise_multiplier: float) -> None:
        """Fold in one sketch.

        Args:
            sketch: flat, of the same length for every site: a noisy sum over its records.
            noise_multiplier: noise standard deviation, divided by the common sensitivity, >= 0.

        Raises:
            ValueError: if the length is another, or the noise multiplier is negative.
        """
        if sketch.ndim != 1:
            raise ValueError("a sketch must be a flat vector")
        if not noise_multiplier >= 0:
            raise ValueError(f"noise_multiplier must be >= 0, got {noise_multiplier}")
        self._values.add(sketch.astype(np.float64))
        self._variance.add(np.square(np.asarray(noise_multiplier, dtype=np.float64)))

    @property
    def pooled(self) -> PooledSketch:
        """What was added so far.

        Raises:
            ValueError: if that is nothing.
        """
        return PooledSketch(values=self._values.total, noise_variance=float(self._variance.total))


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


def sum_in_any_order(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum of equally shaped arrays, bit for bit the same for every order of them."""
    total = ExactSum()
    for array in arrays:
        total.add(array)
    return total.total
