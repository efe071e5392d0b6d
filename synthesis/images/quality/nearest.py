"""Whether synthetic images lie closer to the images trained on than to others of their kind.

It reads real images without noise, so it is for simulations, which own them anyway. It finds
copies; it is no figure of privacy, and finding none proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.intervals import estimate_share
from synthesis.evaluation.estimate import Estimate
from synthesis.images.quality.coverage import squared_distances
from synthesis.images.quality.pixels import read_images
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

_PART = 500  # images at a time


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Distances of synthetic images to real ones: Euclidean, over pixels in 0..255.

    Attributes:
        closer_to_train: share of synthetic images closer to an image trained on than to any held
            out; about 0.5 if nothing is remembered. Ties are left out.
        train_median: median distance to the closest of the images trained on.
        hold_out_median: median distance to the closest of the images held out.
        train_copies: synthetic images that are an image trained on, pixel by pixel.
        hold_out_copies: those that are an image held out.
        compared: images trained on, and as many held out.
    """

    closer_to_train: Estimate
    train_median: float
    hold_out_median: float
    train_copies: int
    hold_out_copies: int
    compared: int


def find_nearest(
    synthetic_codes: Codes,
    train_codes: Codes,
    hold_out_codes: Codes,
    schema: ImageSchema,
    *,
    seed: int,
) -> Nearest:
    """Return how close synthetic images come to those trained on and, as control, to others.

    Args:
        synthetic_codes: ``(n_synthetic, num_pixels + 1)``; classes are not looked at.
        train_codes: ``(n_train, num_pixels + 1)``.
        hold_out_codes: ``(n_hold_out, num_pixels + 1)``, of the same kind, never trained on.
        schema: the public description of all three.
        seed: draws as many from the larger of the two as there are in the smaller.

    Raises:
        ValueError: if codes are not images of this schema.
    """
    synthetic, train, hold_out = (
        read_images(codes, schema)[0].flatten(1).double().numpy()
        for codes in (synthetic_codes, train_codes, hold_out_codes)
    )
    compared = min(len(train), len(hold_out))
    rng = np.random.default_rng(seed)
    to_train, to_hold_out = (
        _closest(synthetic, each[rng.permutation(len(each))[:compared]])
        for each in (train, hold_out)
    )
    return Nearest(
        closer_to_train=estimate_share(
            int((to_train < to_hold_out).sum()), int((to_train != to_hold_out).sum())
        ),
        train_median=float(np.median(to_train)),
        hold_out_median=float(np.median(to_hold_out)),
        train_copies=int((to_train == 0).sum()),
        hold_out_copies=int((to_hold_out == 0).sum()),
        compared=compared,
    )


def _closest(images: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    parts = [
        squared_distances(images[start : start + _PART], others).min(1)
        for start in range(0, len(images), _PART)
    ]
    distances: NDArray[np.float64] = np.sqrt(np.concatenate(parts))
    return distances
