"""Discriminators that let one record act through another, and innocent ones that only look so."""

from __future__ import annotations

import torch
from private_steps import WIDTH
from torch import Tensor, nn


class Base(nn.Module):
    """Two plain layers; subclasses spoil them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, 4)
        self.outer = nn.Linear(4, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.outer(torch.tanh(self.inner(rows)))


class CentredByHand(Base):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows - rows.mean(0))


class CentredInTrainingOnly(Base):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows - rows.mean(0) if self.training else rows)


class ClosedGate(Base):
    """Without effect as long as the gate is at its initial zero."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + self.gate * rows.max()


class MinibatchDiscrimination(Base):
    """Salimans et al. 2016: how near are the other rows?"""

    def forward(self, rows: Tensor) -> Tensor:
        inner = self.inner(rows)
        distances = (inner[:, None] - inner[None]).abs().sum(2)
        return self.outer(inner) + torch.exp(-distances).sum(1, keepdim=True)


class AttentionOverRows(Base):
    def forward(self, rows: Tensor) -> Tensor:
        inner = self.inner(rows)
        return self.outer(torch.softmax(inner @ inner.T, dim=1) @ inner)


class SharedByNumber(Base):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) / len(rows)


class RunningMean(Base):
    """Keeps what it saw in a plain attribute, which is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = torch.zeros(WIDTH)

    def forward(self, rows: Tensor) -> Tensor:
        centre, self.seen = self.seen, 0.9 * self.seen + 0.1 * rows.detach().mean(0)
        return super().forward(rows - centre)


class FirstBatchScale(Base):
    """As in ActNorm: the first batch ever seen sets the scale."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor | None = None

    def forward(self, rows: Tensor) -> Tensor:
        if self.scale is None:
            self.scale = rows.detach().abs().mean(0)
        return super().forward(rows / (1 + self.scale))


class OwnDice(Base):
    """Random beyond the reach of a torch seed, so that nothing can be said about it."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = torch.Generator()

    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows) + torch.randn(1, generator=self.rng)


class Packed(Base):
    """PacGAN, as usual in public code: several rows are one sample."""

    def __init__(self, pac: int = 2) -> None:
        super().__init__()
        self.pac = pac
        self.inner = nn.Linear(pac * WIDTH, 4)

    def forward(self, rows: Tensor) -> Tensor:
        if len(rows) % self.pac:
            raise AssertionError("rows must fill whole samples")
        return super().forward(rows.reshape(-1, self.pac * WIDTH))


class PaddedPacks(Packed):
    """Never fails: fills the last sample up with zeros."""

    def forward(self, rows: Tensor) -> Tensor:
        padding = torch.zeros(-len(rows) % self.pac, WIDTH)
        return super().forward(torch.cat([rows, padding]))


class OneForAll(Base):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).mean()[None]


class WithBuffer(Base):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))


class TakeTokens(nn.Module):
    """Gives each number the place of a row in a table of four."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.long() % 4


def with_dropout() -> nn.Module:
    return nn.Sequential(
        nn.Dropout(0.3), nn.Linear(WIDTH, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(8, 1)
    )


def with_layer_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1))


def with_group_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.GroupNorm(2, 8), nn.Tanh(), nn.Linear(8, 1))


def with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def with_shrunk_embedding() -> nn.Module:
    return nn.Sequential(
        TakeTokens(), nn.Embedding(4, 3, max_norm=1.0), nn.Flatten(), nn.Linear(3 * WIDTH, 1)
    )


def with_frozen_shrunk_bag() -> nn.Module:
    bag = nn.EmbeddingBag(4, 3, max_norm=1.0).requires_grad_(False)
    return nn.Sequential(TakeTokens(), bag, nn.Linear(3, 1))


def with_embedding() -> nn.Module:
    return nn.Sequential(TakeTokens(), nn.Embedding(4, 3), nn.Flatten(), nn.Linear(3 * WIDTH, 1))


def with_instance_norm() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, WIDTH)),
        nn.InstanceNorm1d(1, track_running_stats=True),
        nn.Flatten(),
        nn.Linear(WIDTH, 1),
    )
