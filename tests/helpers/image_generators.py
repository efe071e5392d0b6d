"""A generator of made-up images, for tests."""

from __future__ import annotations

import numpy as np
import torch

from synthesis.images.gaussians import ClassGaussians
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema

SCHEMA = ImageSchema(name="any", channels=3, height=5, width=7, classes=("a", "b", "c"))


def make_generator(
    schema: ImageSchema = SCHEMA, seed: int = 0, scale: float = 0.05
) -> tuple[ImageGenerator, ClassGaussians]:
    """A generator that starts at made-up Gaussians, around grey."""
    settings = ImageGeneratorSettings.for_schema(schema)
    rng = np.random.default_rng(seed)
    classes, size = schema.num_classes, settings.frequencies.size
    means = rng.normal(scale=scale, size=(classes, size))
    plane = settings.frequencies.kept[0] * settings.frequencies.kept[1]
    means[:, ::plane] = schema.num_pixels**0.5 / schema.channels**0.5 / 2  # of a grey image
    means[:, ::plane] /= settings.frequencies.bound
    gaussians = ClassGaussians(
        shares=np.arange(1, classes + 1) / (classes * (classes + 1) / 2),
        means=means,
        factors=rng.normal(scale=0.002, size=(classes, settings.directions, size)),
    )
    generator = ImageGenerator(settings, rng=torch.Generator().manual_seed(seed))
    generator.start_at(gaussians)
    return generator, gaussians
