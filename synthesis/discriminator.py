"""The discriminator: how real does a row look? Small on purpose.

Its gradients are released under noise that grows with the square root of the number of weights, so
at small epsilon a small network learns more. Every record is treated by itself: no normalisation
over the batch, no packing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEARNING_RATE = 2e-2


class Discriminator(nn.Module):
    """Two hidden layers over one-hot rows.

    Args:
        width: encoded width, the sum of the schema's sizes.
        told: which parts of a row are looked at, ``(width,)``; all if left out. The others are zero
            in real and generated rows alike, so that nobody can tell rows by them.
        hidden: width of the hidden layers, >= 1.
        rng: draws the initial weights; public randomness.
    """

    def __init__(
        self,
        width: int,
        *,
        hidden: int = 64,
        rng: torch.Generator,
        told: Sequence[bool] | None = None,
    ) -> None:
        super().__init__()
        # No buffer: the private step refuses what a network might carry from record to record.
        self._told = None if told is None else torch.tensor(told, dtype=torch.float32)
        if hidden < 1:
            raise ValueError(f"hidden must be >= 1, got {hidden}.")
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=0.2, generator=rng)
                nn.init.zeros_(layer.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits ``(batch,)`` for encoded rows ``(batch, width)``; high means real."""
        if self._told is not None:
            rows = rows * self._told
        logits: Tensor = self.layers(rows).squeeze(1)
        return logits


def make_discriminator_optimizer(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of discriminators, which the private step wraps."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(0.5, 0.9))
