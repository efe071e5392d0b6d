"""The generator of images: a Gaussian of cosine coefficients per class, and a network behind it.

The first stage is linear and stands after the sketch: latent numbers times the factors of a class,
plus its mean, back to pixels. A convolutional network then adds what second moments cannot say:
edges, weave, and where nothing is; it learns it from the means of details in the same sketch. A
second one, for rounds that move the generator, starts at zero, so that before the first round the
generator is the sketch's. Last, where rounds were run, the discriminator that the sites trained
says what class a drawn image shows, and the image is published with that class, not that which it
was drawn for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.frequencies import Frequencies
from synthesis.images.gaussians import MOST_DIRECTIONS, ClassGaussians
from synthesis.images.refiner import Refiner
from synthesis.images.schema import ImageSchema

HIDDEN = 32
"""Channels of the convolutional stage."""
HAZE = 0.3
"""Part of the brightness of a subject below which all is haze, where the surroundings are black."""
BRIGHTNESS = 0.95
"""Brightness that a subject is given there: that of its 95th percentile of pixels."""
_IMAGES_LOOKED_AT = 1000
MOST_HIDDEN = 256


@dataclass(frozen=True, kw_only=True)
class ImageGeneratorSettings:
    """The architecture, from public facts alone.

    Attributes:
        frequencies: coefficients of the first stage.
        num_classes: classes of the schema.
        directions: latent numbers of an image.
        hidden: channels of the second stage, in [1, 256].
        is_dark_around: whether haze around the subject is cut.
        may_flip: whether the labeller looks at an image both ways round.

    Raises:
        ValueError: if ``hidden`` is out of range.
    """

    frequencies: Frequencies
    num_classes: int
    directions: int
    hidden: int = HIDDEN
    is_dark_around: bool = False
    may_flip: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.hidden <= MOST_HIDDEN:
            raise ValueError(f"hidden must be between 1 and {MOST_HIDDEN}, got {self.hidden}.")

    @classmethod
    def for_schema(cls, schema: ImageSchema, *, hidden: int = HIDDEN) -> Self:
        """Return the usual architecture for a schema."""
        frequencies = Frequencies.of(schema)
        return cls(
            frequencies=frequencies,
            num_classes=schema.num_classes,
            directions=min(MOST_DIRECTIONS, frequencies.size),
            hidden=hidden,
            is_dark_around=schema.is_dark_around,
            may_flip=schema.may_flip,
        )


class ImageGenerator(nn.Module):
    """Draws images with their classes.

    Args:
        settings: the architecture.
        rng: draws the initial weights of the second stage; public randomness.
    """

    shares: Tensor
    """Share of every class, ``(num_classes,)``; from the sketch, and not trained."""
    curve: Tensor
    """Haze that is cut from the first stage, and its contrast; not trained."""
    labels_again: Tensor
    """1 where the labeller says of which class an image is, else 0; not trained."""

    def __init__(self, settings: ImageGeneratorSettings, *, rng: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        classes, size = settings.num_classes, settings.frequencies.size
        self.means = nn.Parameter(torch.zeros(classes, size))
        self.factors = nn.Parameter(torch.zeros(classes, settings.directions, size))
        channels, hidden = settings.frequencies.shape[0], settings.hidden
        self.refine = nn.Sequential(
            nn.Conv2d(channels, hidden, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(hidden, channels, 3, padding=1),
        )
        for layer in self.refine:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=0.2, generator=rng)
                layer.bias.data.zero_()  # type: ignore[union-attr]
        last = self.refine[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        self.refiner = Refiner(channels, classes, rng=rng)
        self.labeller = ImageDiscriminator(
            settings.frequencies.shape, classes, may_flip=settings.may_flip, rng=rng
        )
        self.register_buffer("labels_again", torch.zeros(1))
        self.register_buffer("shares", torch.full((classes,), 1.0 / classes))
        self.register_buffer("curve", torch.tensor([0.0, 1.0]))

    @torch.no_grad()
    def start_at(self, gaussians: ClassGaussians) -> None:
        """Let the first stage draw from these Gaussians."""
        self.means.copy_(torch.from_numpy(gaussians.means))
        self.factors.copy_(torch.from_numpy(gaussians.factors))
        self.shares.copy_(torch.from_numpy(gaussians.shares))
        if self.settings.is_dark_around:
            self.curve.copy_(self._find_curve())

    def check_shares(self) -> None:
        """Raise ValueError if no class can be drawn, as with odd weights from outside."""
        if not bool((self.shares > 0).any()):
            raise ValueError("shares must have a number above 0, and they have none.")

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Return images ``(n, channels, height, width)`` with values from 0 to 1.

        Args:
            latent: standard normal numbers, ``(n, directions)``.
            labels: class of each image, ``(n,)``.
        """
        return self.refine_rough(self.draw_rough(latent, labels), labels)

    def draw_rough(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Return what the Gaussians say, without its haze; values may lie outside 0 to 1."""
        haze, contrast = self.curve
        rough: Tensor = (self._draw_hazy(latent, labels) - haze) * contrast
        return rough

    def refine_rough(self, rough: Tensor, labels: Tensor) -> Tensor:
        """Return the images of what ``draw_rough`` gave, with values from 0 to 1."""
        if not _is_idle(self.refiner, self.refiner.last):
            rough = rough + self.refiner(rough.clamp(-0.5, 1.5), labels)
        if not _is_idle(self.refine, self.refine[-1]):
            rough = rough + self.refine(rough)
        return cut(rough)

    def _draw_hazy(self, latent: Tensor, labels: Tensor) -> Tensor:
        factors = self.factors[labels]  # (n, directions, size)
        drawn = torch.baddbmm(self.means[labels, None], latent[:, None], factors).squeeze(1)
        return self.settings.frequencies.to_images(drawn)

    def _find_curve(self) -> Tensor:
        """Return the haze to cut and the contrast that gives subjects their brightness again.

        The norm bound of the sketch takes brightness, and Gaussians draw a haze. Both are seen in
        what the generator draws, so this is post-processing.
        """
        rng = torch.Generator().manual_seed(0)
        labels = torch.arange(_IMAGES_LOOKED_AT) % self.settings.num_classes
        latent = torch.randn(_IMAGES_LOOKED_AT, self.settings.directions, generator=rng)
        rough = self._draw_hazy(latent, labels).flatten(1)
        subject = torch.quantile(rough, 0.95, dim=1).median().clamp(min=0.05)
        haze = HAZE * subject
        return torch.stack([haze, BRIGHTNESS / (subject - haze)])

    @property
    def is_labelling(self) -> bool:
        """Whether drawn images get the class that the labeller sees in them."""
        return bool(self.labels_again > 0)

    def draw(self, number: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw images ``(number, channels, height, width)`` and their classes ``(number,)``."""
        shares = self.shares.clamp(min=0)
        labels = torch.multinomial(shares, number, replacement=True, generator=rng)
        latent = torch.randn(number, self.settings.directions, generator=rng)
        images: Tensor = self(latent, labels)
        if self.is_labelling:
            with torch.no_grad():
                labels = self.labeller.score(images).argmax(dim=1)
        return images, labels

    def draw_hard_rows(self, num_rows: int, rng: torch.Generator) -> Tensor:
        """Draw images as the rows that discriminators read, ``(num_rows, pixels + classes)``."""
        images, labels = self.draw(num_rows, rng)
        return to_rows(images, labels, self.settings.num_classes)


def _is_idle(network: nn.Module, last: nn.Module) -> bool:
    """Return whether a network adds nothing yet, and nobody is about to train it."""
    is_trained = torch.is_grad_enabled() and any(p.requires_grad for p in network.parameters())
    return not is_trained and not any(bool(weight.any()) for weight in last.parameters())


def to_rows(images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return images with their classes as rows ``(n, pixels + classes)``."""
    hot = functional.one_hot(labels, num_classes).to(images.dtype)
    return torch.cat([images.flatten(1), hot], dim=1)


def cut(images: Tensor) -> Tensor:
    """Cut values to the range from 0 to 1, with a gradient that still points back into it."""
    inside = images.clamp(0.0, 1.0)
    leaky = inside + 0.1 * (images - inside)
    return leaky + (inside - leaky).detach()
