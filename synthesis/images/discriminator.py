"""The discriminator of images: does this image show its class? Small on purpose.

Its gradients are released under noise that grows with the square root of the number of weights.
Every image is treated by itself: no normalisation at all, no packing.

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

CHANNELS = (16, 32)
_NEVER = -1e9


class ImageDiscriminator(nn.Module):
    """Two strided convolutions, and one score for every class.

    Bounded activations keep gradients under a clip useful (Papernot et al. 2021, "Tempered Sigmoid
    Activations").

    Args:
        shape: channels, height and width of the images.
        num_classes: at least 2.
        rng: draws the initial weights; public randomness.
    """

    def __init__(
        self, shape: tuple[int, int, int], num_classes: int, *, rng: torch.Generator
    ) -> None:
        super().__init__()
        self._shape = shape
        channels, *whole = shape
        first, second = CHANNELS
        sides = [(side + 3) // 4 for side in whole]  # halved twice, rounded up
        self.body = nn.Sequential(
            nn.Conv2d(channels, first, 5, stride=2, padding=2),
            nn.Tanh(),
            nn.Conv2d(first, second, 5, stride=2, padding=2),
            nn.Tanh(),
            nn.Flatten(),
        )
        self.head = nn.Linear(second * sides[0] * sides[1], num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight, generator=rng)
                layer.bias.data.zero_()  # type: ignore[union-attr]

    def score(self, images: Tensor) -> Tensor:
        """Return logits of the classes, ``(n, classes)``, for ``(n, channels, height, width)``."""
        scores: Tensor = self.head(self.body(2.0 * images - 1.0))
        return scores

    def forward(self, rows: Tensor) -> Tensor:
        """Return log odds of the classes, ``(batch,)``, of rows ``(batch, pixels + classes)``."""
        images = rows[:, : math.prod(self._shape)].unflatten(1, self._shape)
        classes = rows[:, math.prod(self._shape) :]
        scores = self.score(images)
        others = torch.logsumexp(scores + _NEVER * classes, dim=1)
        odds: Tensor = (scores * classes).sum(1) - others
        return odds
