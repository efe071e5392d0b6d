"""Build and train a small network that tells classes of images apart, without privacy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_LEARNING_RATE = 3e-3
BATCH_SIZE = 128


def convolve(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Return the layers of one convolution, which halves the sides of an image."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)


def scale(images: Tensor) -> Tensor:
    """Return uint8 images as numbers from 0 to 1."""
    return images.float() / 255


def move(images: Tensor, *, reach: tuple[int, int], may_flip: bool, rng: torch.Generator) -> Tensor:
    """Shift every image by itself, the border repeated, and mirror it by a coin.

    Args:
        images: ``(n, channels, height, width)``.
        reach: farthest shift down or up and right or left, in pixels, >= 0.
        may_flip: whether half of them are mirrored left to right.
        rng: draws shifts and coins.
    """
    number, _, height, width = images.shape
    down, right = (
        torch.randint(-most, most + 1, (number, 1), generator=rng) for most in reach
    )  # (n, 1) each
    lines = (torch.arange(height) + down).clamp(0, height - 1)  # (n, height)
    columns = (torch.arange(width) + right).clamp(0, width - 1)  # (n, width)
    if may_flip:
        mirrored = torch.randint(2, (number, 1), generator=rng).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    which = torch.arange(number)[:, None, None]
    moved = images[which, :, lines[:, :, None], columns[:, None, :]]  # (n, height, width, channels)
    return moved.permute(0, 3, 1, 2)


def train(
    network: nn.Module,
    images: Tensor,
    classes: Tensor,
    *,
    epochs: int,
    reach: tuple[int, int],
    may_flip: bool,
    rng: torch.Generator,
) -> None:
    """Train in place by Adam, with one cycle of the learning rate, and leave it ready for use.

    Args:
        network: gives logits ``(batch, classes)`` for images ``(batch, channels, height, width)``
            in [0, 1].
        images: ``(n, channels, height, width)``, uint8.
        classes: ``(n,)``.
        epochs: passes over the images, >= 1.
        reach: farthest shifts, in pixels.
        may_flip: whether mirrored images are shown too.
        rng: draws the order, shifts and mirrors.

    Reference: Smith and Topin 2018, "Super-Convergence" (the cycle).
    """
    batches = -(-len(images) // BATCH_SIZE)
    optimizer = torch.optim.Adam(network.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, MAX_LEARNING_RATE, total_steps=epochs * batches
    )
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=rng).split(BATCH_SIZE):
            shown = move(images[batch], reach=reach, may_flip=may_flip, rng=rng)
            loss = functional.cross_entropy(network(scale(shown)), classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
    network.eval()
