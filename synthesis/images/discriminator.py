"""The discriminator of images: does this image show its class? Small on purpose.

What it looks through is public and never trained: the oriented filters of
:mod:`synthesis.images.details`, whose answers lose their sign and are averaged over cells. Behind
them stands one trained layer. Few images under noise cannot teach filters, and need not: on such
features a linear layer is what learns best privately (Tramèr and Boneh 2021, "Differentially
Private Learning Needs Better Features (or Much More Data)").

Where the schema says that a mirrored image means the same, an image is looked at both ways round, a
generated one like a real one, and what is seen is averaged within the record, before the clip: two
views, and still the sensitivity of one record (after De et al. 2022, "Unlocking High-Accuracy
Differentially Private Image Classification through Scale", which averages gradients over views).

Its gradients are released under noise that grows with the square root of the number of weights.
Every image is treated by itself: maps are normalised over their own cells, and nothing is packed.

It gives one score per class, and the logit of a row is the log odds of the row's class among all:
for a real image the loss of the private step is then the cross-entropy of its class, and for a
generated one with a class that it was not drawn for, that of not being it (Reed et al. 2016,
"Generative Adversarial Text to Image Synthesis", the matching-aware discriminator). So the same
network tells the classes of images apart, and can begin with what generated images teach for free.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthesis.images.details import Details

_NEVER = -1e9
_FLAT = 0.25
"""Spread below which a map counts as flat, as a part of the root mean square of details."""
_SMALL = 1e-6


class ImageDiscriminator(nn.Module):
    """Details of an image, map by map, and one score for every class.

    Args:
        shape: channels, height and width of the images.
        num_classes: at least 2.
        may_flip: whether an image means the same mirrored left to right.
        rng: draws the initial weights; public randomness.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        num_classes: int,
        *,
        may_flip: bool = False,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self._may_flip = may_flip
        self._details = Details(shape=shape)
        self.head = nn.Linear(self._details.size, num_classes)
        nn.init.xavier_uniform_(self.head.weight, generator=rng)
        self.head.bias.data.zero_()

    def look(self, images: Tensor) -> Tensor:
        """Return what is seen of images, the mean of their views, of norm 1.

        Args:
            images: ``(n, channels, height, width)`` with values from 0 to 1.

        Returns:
            ``(n, size)``.
        """
        views = [images, images.flip(3)] if self._may_flip else [images]
        seen = torch.stack([self._see(view) for view in views]).mean(0)
        return seen / (_lengths(seen) + _SMALL)

    def _see(self, images: Tensor) -> Tensor:
        """Return each map of details normalised over its cells, the whole of norm 1."""
        details = self._details.of_images(images)
        flat = _FLAT**2 / self._details.size
        seen = torch.cat(
            [
                functional.layer_norm(maps, maps.shape[2:], eps=flat).flatten(1)
                for maps in self._details.split(details)
            ],
            dim=1,
        )
        return seen / (_lengths(seen) + _SMALL)

    def score(self, images: Tensor) -> Tensor:
        """Return logits of the classes, ``(n, classes)``, for ``(n, channels, height, width)``."""
        scores: Tensor = self.head(self.look(images))
        return scores

    def forward(self, rows: Tensor) -> Tensor:
        """Return log odds of the classes, ``(batch,)``, of rows ``(batch, pixels + classes)``."""
        shape = self._details.shape
        pixels = math.prod(shape)
        images, classes = rows[:, :pixels].unflatten(1, shape), rows[:, pixels:]
        scores = self.score(images)
        others = torch.logsumexp(scores + _NEVER * classes, dim=1)
        odds: Tensor = (scores * classes).sum(1) - others
        return odds


def _lengths(seen: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(seen, dim=1, keepdim=True)
    return lengths
