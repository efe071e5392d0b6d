"""How far one collection of images lies from another, in features of the extractor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from synthesis.evaluation.estimate import Estimate
from synthesis.images.quality.extractor import Features

_BLOCK = 1000  # images of each collection in a subset
_FEWEST_BLOCKS = 10


def frechet_distance(a: Features, b: Features) -> float:
    """Return the squared Frechet distance of Gaussians fitted to two sets of features (FID).

    |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). It is 0 for equal fits and grows as
    collections get smaller, so compare only figures of equally many images, beside real against
    real.

    Args:
        a: ``(n_a, d)``, at least two rows.
        b: ``(n_b, d)``, at least two rows.

    Raises:
        ValueError: if there are fewer rows, or the widths differ.

    Reference: Heusel et al. 2017, equation 6.
    """
    _check(a, b)
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # C_a C_b has the eigenvalues of the symmetric R_a C_b R_a, with R the symmetric roots, and
    # their roots are the singular values of R_a R_b: nothing negative, no imaginary part.
    shared = float(np.linalg.svd(root_a @ root_b, compute_uv=False).sum())
    apart = float(np.square(a.mean(0) - b.mean(0)).sum())
    spread = float(np.square(root_a).sum() + np.square(root_b).sum())  # traces of C_a and C_b
    return max(0.0, apart + spread - 2 * shared)


def _covariance_root(features: Features) -> Features:
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
    root: Features = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


@dataclass(frozen=True, kw_only=True)
class KernelDistance:
    """A mean over disjoint subsets, with how sure it is.

    Attributes:
        value: may be below 0 where collections are alike, because it is unbiased.
        standard_error: of ``value``.
        subsets: how many there were, >= 2.
        subset_size: images of each collection in one.
    """

    value: float
    standard_error: float
    subsets: int
    subset_size: int

    @property
    def estimate(self) -> Estimate:
        """The value with its 95 % interval, by Student's t."""
        reach = float(student.ppf(0.975, self.subsets - 1)) * self.standard_error
        return Estimate(value=self.value, low=self.value - reach, high=self.value + reach)


def kernel_distance(a: Features, b: Features, *, seed: int) -> KernelDistance:
    """Return the squared maximum mean discrepancy of two sets of features (KID).

    The kernel is (x.y / d + 1)^3 and the estimate unbiased, so figures of different numbers of
    images can be compared. Subsets are disjoint, 1,000 images of each or so many that there are
    ten subsets, and so their spread tells the error of the mean.

    Args:
        a: ``(n_a, d)``, at least four rows.
        b: ``(n_b, d)``, at least four rows.
        seed: deals images to subsets.

    Raises:
        ValueError: if there are fewer rows, or the widths differ.

    Reference: Binkowski et al. 2018, section 4.
    """
    _check(a, b, fewest=4)
    rows = min(len(a), len(b))
    size = max(2, min(_BLOCK, rows // _FEWEST_BLOCKS))
    subsets = rows // size
    rng = np.random.default_rng(seed)
    deals = zip(
        *(np.split(rng.permutation(len(x))[: subsets * size], subsets) for x in (a, b)),
        strict=True,
    )
    values = np.array([_unbiased_mmd(a[of_a], b[of_b]) for of_a, of_b in deals])
    return KernelDistance(
        value=float(values.mean()),
        standard_error=float(values.std(ddof=1) / subsets**0.5),
        subsets=subsets,
        subset_size=size,
    )


def _unbiased_mmd(a: Features, b: Features) -> float:
    def kernel(x: Features, y: Features) -> Features:
        cubes: Features = (x @ y.T / x.shape[1] + 1) ** 3
        return cubes

    def without_itself(x: Features) -> float:
        values, n = kernel(x, x), len(x)
        return float((values.sum() - np.trace(values)) / (n * (n - 1)))

    return without_itself(a) + without_itself(b) - 2 * float(kernel(a, b).mean())


def _check(a: Features, b: Features, *, fewest: int = 2) -> None:
    if min(len(a), len(b)) < fewest or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"features must be two sets of at least {fewest} rows of one width, got shapes "
            f"{a.shape} and {b.shape}; give more images and use one extractor for both."
        )
