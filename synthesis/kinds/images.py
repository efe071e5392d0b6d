"""Images: second moments of cosine coefficients, convolutional networks."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthesis.adversarial import GeneratorStepSettings
from synthesis.fitting import SketchLoss
from synthesis.images.adversarial import improve_image_generator, move
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.generator import ImageGenerator, to_rows
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout, compute_image_sketch
from synthesis.kinds.kind import Counts, Kind
from synthesis.units import Units


class ImageKind(Kind):
    """Images of one schema.

    Args:
        schema: the public description.
    """

    model = "images"
    is_held = False

    def __init__(self, schema: ImageSchema) -> None:
        self._schema = schema

    @property
    def schema(self) -> ImageSchema:
        """The public description."""
        return self._schema

    @cached_property
    def layout(self) -> ImageLayout:
        """Where the numbers of the sketch lie."""
        return ImageLayout.from_schema(self.schema)

    @property
    def width(self) -> int:
        """Pixels and classes."""
        return self.schema.num_pixels + self.schema.num_classes

    def count(self, units: Units) -> Counts:
        """Return the exact second moments of the images."""
        return compute_image_sketch(self.layout, units.codes, self.schema.num_pixels)

    def to_rows(self, codes: NDArray[np.integer], rng: torch.Generator) -> Tensor:
        """Return each image, moved by chance, with its class."""
        pixels, labels = np.split(codes, [self.schema.num_pixels], axis=1)
        images = torch.from_numpy(pixels.astype(np.float32) / 255).unflatten(1, self.schema.shape)
        classes = torch.from_numpy(labels[:, 0].astype(np.int64))
        return to_rows(move(images, self.schema, rng), classes, self.schema.num_classes)

    def draw_fakes(self, generator: nn.Module, number: int, rng: torch.Generator) -> Tensor:
        """Return generated images, moved by chance, with their classes."""
        assert isinstance(generator, ImageGenerator)
        images, labels = generator.draw(number, rng)
        return to_rows(move(images, self.schema, rng), labels, self.schema.num_classes)

    def make_discriminator(self, rng: torch.Generator) -> ImageDiscriminator:
        """Return a fresh discriminator."""
        return ImageDiscriminator(self.schema, rng=rng)

    def improve(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        sketch_loss: SketchLoss | None,
        settings: GeneratorStepSettings,
        *,
        rng: torch.Generator,
    ) -> ImageGenerator:
        """Train the generator; nothing holds it to the sketch but where it started."""
        assert isinstance(generator, ImageGenerator)
        assert isinstance(discriminator, ImageDiscriminator)
        return improve_image_generator(generator, discriminator, self.schema, settings, rng=rng)
