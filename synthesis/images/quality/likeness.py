"""How like real images synthetic ones are, beside how like real ones are to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthesis.images.quality.coverage import Coverage, measure_coverage
from synthesis.images.quality.distances import KernelDistance, frechet_distance, kernel_distance
from synthesis.images.quality.extractor import Features, extract_features, extractor_digest
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes


@dataclass(frozen=True, kw_only=True)
class Distances:
    """Distances of a collection from real images of a test, in features of the extractor.

    Attributes:
        frechet: FID, >= 0; it falls as there are more images.
        kernel: KID, which does not depend on their number.
        coverage: precision and recall.
        num_images: images of each collection that were compared.
    """

    frechet: float
    kernel: KernelDistance
    coverage: Coverage
    num_images: int


@dataclass(frozen=True, kw_only=True)
class ImageLikeness:
    """How like real images synthetic ones are.

    Attributes:
        synthetic: synthetic images against those of the test.
        floor: real images of training against those of the test: what cannot be beaten by much.
        extractor: SHA-256 of the extractor's weights; figures of another do not compare.
    """

    synthetic: Distances
    floor: Distances
    extractor: str


def measure_likeness(
    synthetic_codes: Codes, train_codes: Codes, test_codes: Codes, schema: ImageSchema, *, seed: int
) -> ImageLikeness:
    """Return the distances of synthetic and of real images from the same real ones.

    Both are taken with the same number of images, which are drawn where there are more.

    Args:
        synthetic_codes: ``(n_synthetic, num_pixels + 1)``; classes are not looked at.
        train_codes: ``(n_train, num_pixels + 1)``, real.
        test_codes: ``(n_test, num_pixels + 1)``, real, none of them trained on.
        schema: the public description of all three.
        seed: draws images and deals them to subsets.

    Raises:
        ValueError: if codes are not images of this schema, or there are fewer than four of a kind.
    """
    count = min(len(synthetic_codes), len(train_codes), len(test_codes))
    rng = np.random.default_rng(seed)
    synthetic, train, test = (
        extract_features(codes[rng.permutation(len(codes))[:count]], schema)
        for codes in (synthetic_codes, train_codes, test_codes)
    )
    return ImageLikeness(
        synthetic=_measure(synthetic, test, seed=seed),
        floor=_measure(train, test, seed=seed),
        extractor=extractor_digest(),
    )


def _measure(features: Features, test: Features, *, seed: int) -> Distances:
    return Distances(
        frechet=frechet_distance(features, test),
        kernel=kernel_distance(features, test, seed=seed),
        coverage=measure_coverage(test, features, seed=seed),
        num_images=len(features),
    )
