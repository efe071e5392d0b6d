"""Whether synthetic images look real, and whether all kinds of real images are among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.intervals import estimate_share
from synthesis.evaluation.estimate import Estimate
from synthesis.images.quality.extractor import Features

NEIGHBOURS = 3
MOST = 5000
"""Images of each collection that are looked at; time grows with the square."""
_PART = 500  # images at a time


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Shares of images that lie among those of the other collection.

    The intervals are over images, as if the other collection were given.

    Attributes:
        precision: of synthetic images among real ones; low means they do not look real.
        recall: of real images among synthetic ones; low means that kinds are missing.
    """

    precision: Estimate
    recall: Estimate


def measure_coverage(real: Features, synthetic: Features, *, seed: int) -> Coverage:
    """Return precision and recall by three nearest neighbours, of equally many images.

    An image lies among others if it is at least as close to one of them as that one's third
    neighbour among them.

    Args:
        real: ``(n_real, d)``, at least four rows.
        synthetic: ``(n_synthetic, d)``, at least four rows.
        seed: draws the images that are compared, as many of each, at most ``MOST``.

    Raises:
        ValueError: if there are fewer rows.

    Reference: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
    Generative Models", equations 1 and 2.
    """
    rows = min(len(real), len(synthetic), MOST)
    if rows <= NEIGHBOURS:
        raise ValueError(
            f"features must be two sets of at least {NEIGHBOURS + 1} rows, got {len(real)} and "
            f"{len(synthetic)}; give more images."
        )
    rng = np.random.default_rng(seed)
    a, b = (x[rng.permutation(len(x))[:rows]] for x in (real, synthetic))
    return Coverage(precision=_share_among(b, a), recall=_share_among(a, b))


def _share_among(images: Features, others: Features) -> Estimate:
    radius = np.empty(len(others))
    for start in range(0, len(others), _PART):
        distances = squared_distances(others[start : start + _PART], others)
        # Position 0 is the image itself.
        radius[start : start + _PART] = np.partition(distances, NEIGHBOURS)[:, NEIGHBOURS]
    found = sum(
        int((squared_distances(images[start : start + _PART], others) <= radius).any(1).sum())
        for start in range(0, len(images), _PART)
    )
    return estimate_share(found, len(images))


def squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared Euclidean distances ``(n_a, n_b)`` of rows, exact for rows of pixels.

    Whole numbers below 2^53, which sums of squares of pixels are, have no rounding in float64.
    """
    squares: NDArray[np.float64] = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.maximum(squares, 0)
