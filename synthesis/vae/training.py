"""Training of an autoencoder on rows that are public: drawn from a private generator, or open data.

No noise and no ledger: never give it rows of a site.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["PretrainSettings", "fit_on_public_rows"]


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How long and how fast an autoencoder is trained on public rows.

    Attributes:
        steps: optimiser updates, >= 0.
        batch_size: rows of each, >= 1.
        learning_rate: of Adam, > 0; it falls to zero as a half cosine.

    Raises:
        ValueError: if a number is out of range.
    """

    steps: int
    batch_size: int = 500
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        if self.steps < 0 or self.batch_size < 1 or not self.learning_rate > 0:
            raise ValueError(
                "steps must be >= 0, batch_size >= 1 and learning_rate > 0, got "
                f"{self.steps}, {self.batch_size} and {self.learning_rate}."
            )


def fit_on_public_rows(
    bound: nn.Module, draw_rows: Callable[[int], Tensor], settings: PretrainSettings
) -> None:
    """Make the mean of the rows' losses smaller, in place, without privacy.

    Args:
        bound: gives each row's loss, ``(n, width)`` to ``(n,)``.
        draw_rows: gives so many rows that are public, with the noise of their latent numbers.
        settings: steps, batch size and learning rate.
    """
    if not settings.steps:
        return
    optimizer = torch.optim.Adam(bound.parameters(), lr=settings.learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for _ in range(settings.steps):
        with torch.no_grad():
            rows = draw_rows(settings.batch_size)
        optimizer.zero_grad()
        bound(rows).mean().backward()
        optimizer.step()
        falling.step()
