"""The network between the Gaussians of a class and the published image: what they cannot draw."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 40
"""Channels at half of the resolution."""
FINE = 12
"""Channels at the whole of it."""


class Refiner(nn.Module):
    """Adds to an image what it sees missing for its class; nothing, before it is trained.

    It works at half of the resolution, where a filter sees more for less, and last at the whole,
    so that no pattern of single pixels is left of the change between them.

    Args:
        channels: of the images.
        num_classes: at least 2.
        rng: draws the initial weights; public randomness.
    """

    def __init__(self, channels: int, num_classes: int, *, rng: torch.Generator) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(channels, HIDDEN, 4, stride=2, padding=1)
        self.coarse = nn.ModuleList(nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1) for _ in range(2))
        self.widen = nn.Conv2d(HIDDEN, FINE, 1)
        self.fine = nn.Conv2d(FINE + channels, FINE, 3, padding=1)
        self.last = nn.Conv2d(FINE, channels, 3, padding=1)
        self.classes = nn.Parameter(torch.zeros(2, num_classes, HIDDEN))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=rng)
                layer.bias.data.zero_()  # type: ignore[union-attr]
        nn.init.zeros_(self.last.weight)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return what is to be added to images ``(n, channels, height, width)``.

        Args:
            images: with values about 0 to 1.
            labels: class of each, ``(n,)``.
        """
        first, second = self.classes[:, labels, :, None, None]
        padded = functional.pad(images, (0, images.shape[3] % 2, 0, images.shape[2] % 2))
        seen = _bend(self.shrink(padded) + first)
        inner, outer = self.coarse
        seen = seen + _bend(outer(_bend(inner(seen) + second)))
        wide = functional.interpolate(
            self.widen(seen), size=images.shape[2:], mode="bilinear", align_corners=False
        )
        added: Tensor = self.last(_bend(self.fine(torch.cat([wide, images], dim=1))))
        return added


def _bend(values: Tensor) -> Tensor:
    return functional.leaky_relu(values, 0.2)
