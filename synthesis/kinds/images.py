"""Images: second moments of cosine coefficients, convolutional networks."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthesis.adversarial import GeneratorStepSettings
from synthesis.fitting import SketchLoss
from synthesis.images.adversarial import improve_image_generator, mislabel
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.generator import ImageGenerator, to_rows
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout, compute_image_sketch
from synthesis.kinds.kind import Counts, Kind
from synthesis.units import Units

LEARNING_RATE = 10.0
"""Of one layer on features of norm 1, whose gradients have at most the norm of the clip."""


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
        """Return each image as it is, with its class."""
        pixels, labels = np.split(codes, [self.schema.num_pixels], axis=1)
        images = torch.from_numpy(pixels.astype(np.float32) / 255).unflatten(1, self.schema.shape)
        classes = torch.from_numpy(labels[:, 0].astype(np.int64))
        return to_rows(images, classes, self.schema.num_classes)

    def draw_fakes(self, generator: nn.Module, number: int, rng: torch.Generator) -> Tensor:
        """Return generated images, each with a class that it does not show."""
        assert isinstance(generator, ImageGenerator)
        images, labels = generator.draw(number, rng)
        wrong = mislabel(labels, self.schema.num_classes, rng)
        return to_rows(images, wrong, self.schema.num_classes)

    def make_discriminator(self, rng: torch.Generator) -> ImageDiscriminator:
        """Return a fresh discriminator."""
        schema = self.schema
        return ImageDiscriminator(
            schema.shape, schema.num_classes, may_flip=schema.may_flip, rng=rng
        )

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of discriminators, which the private step wraps."""
        return torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=0.9)

    def count_fakes(self, expected_batch_size: int) -> int:
        """Return a few: fakes taught the discriminator all that they know before the rounds."""
        return max(1, expected_batch_size // 16)

    def begin_round(self, discriminator: nn.Module, generator: nn.Module) -> None:
        """Begin where all sites together are: with the labeller of the global generator."""
        assert isinstance(generator, ImageGenerator)
        discriminator.load_state_dict(generator.labeller.state_dict())

    def improve(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        sketch_loss: SketchLoss | None,
        settings: GeneratorStepSettings,
        *,
        rng: torch.Generator,
    ) -> ImageGenerator:
        """Let it label as the discriminator does; nothing holds it but where it started."""
        assert isinstance(generator, ImageGenerator)
        assert isinstance(discriminator, ImageDiscriminator)
        return improve_image_generator(generator, discriminator, self.schema, settings, rng=rng)
