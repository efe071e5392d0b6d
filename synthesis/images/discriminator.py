"""The discriminator of images: how real does this image look for its class? Small on purpose.

Its gradients are released under noise that grows with the square root of the number of weights.
Every image is treated by itself: no normalisation at all, no packing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthesis.images.schema import ImageSchema

CHANNELS = (16, 32)


class ImageDiscriminator(nn.Module):
    """Two strided convolutions, and one output for every class.

    Args:
        schema: of the images.
        rng: draws the initial weights; public randomness.
    """

    def __init__(self, schema: ImageSchema, *, rng: torch.Generator) -> None:
        super().__init__()
        self._shape, self._num_pixels = schema.shape, schema.num_pixels
        first, second = CHANNELS
        sides = [(side + 3) // 4 for side in schema.shape[1:]]  # halved twice, rounded up
        self.body = nn.Sequential(
            nn.Conv2d(schema.channels, first, 5, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(first, second, 5, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.head = nn.Linear(second * sides[0] * sides[1], schema.num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=0.2, generator=rng)
                layer.bias.data.zero_()  # type: ignore[union-attr]

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits ``(batch,)`` for rows ``(batch, pixels + classes)``; high means real."""
        images = rows[:, : self._num_pixels].unflatten(1, self._shape)
        logits = self.head(self.body(2.0 * images - 1.0))  # (batch, classes)
        chosen: Tensor = (logits * rows[:, self._num_pixels :]).sum(1)
        return chosen
