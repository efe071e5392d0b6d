"""Train on synthetic images and on real ones, and test both on real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.intervals import TWO_SIDED
from synthesis.evaluation.estimate import Estimate
from synthesis.images.quality.classifier import (
    class_hit_rates,
    find_hits,
    hit_rate,
    train_classifier,
)
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes


@dataclass(frozen=True, kw_only=True)
class ImageComparison:
    """How well two classifiers tell the classes of the same real images; shares of images.

    Attributes:
        synthetic: accuracy after training on synthetic images.
        real: accuracy after training on real images.
        lost: ``real`` minus ``synthetic``, in [-1, 1].
        synthetic_by_class: as ``synthetic``, for each class in the order of the schema.
        real_by_class: as ``real``, for each class.
    """

    synthetic: Estimate
    real: Estimate
    lost: Estimate
    synthetic_by_class: tuple[Estimate, ...]
    real_by_class: tuple[Estimate, ...]


def compare_images(
    synthetic_codes: Codes,
    train_codes: Codes,
    test_codes: Codes,
    schema: ImageSchema,
    seed: int,
) -> ImageComparison:
    """Return what a classifier learns from synthetic images, beside what it learns from real ones.

    The intervals are over the images of the test. Another seed of training moves an accuracy too,
    and so does the number of images: give as many synthetic as real ones.

    Args:
        synthetic_codes: ``(n_synthetic, num_pixels + 1)``.
        train_codes: ``(n_train, num_pixels + 1)``, real.
        test_codes: ``(n_test, num_pixels + 1)``, real, none of them seen by whatever made the
            synthetic ones.
        schema: the public description of all three.
        seed: of both trainings.

    Raises:
        ValueError: if codes are not images of this schema.
    """
    synthetic, real = (
        find_hits(train_classifier(codes, schema, seed=seed), test_codes, schema)
        for codes in (synthetic_codes, train_codes)
    )
    return ImageComparison(
        synthetic=hit_rate(synthetic),
        real=hit_rate(real),
        lost=_paired_difference(real, synthetic),
        synthetic_by_class=class_hit_rates(synthetic, test_codes, schema),
        real_by_class=class_hit_rates(real, test_codes, schema),
    )


def _paired_difference(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Estimate:
    # Both see the same images, most of which are easy or hard for both: pairs tell more.
    differences = a.astype(np.float64) - b
    value = float(differences.mean())
    reach = TWO_SIDED * float(differences.std()) / len(differences) ** 0.5
    return Estimate(value=value, low=max(-1.0, value - reach), high=min(1.0, value + reach))
