"""What a private step makes smaller: one loss for each record, which depends on that record alone.

A discriminator is told which rows are real, among fakes of a fixed number. A network that models
records by itself, such as an autoencoder, says its own loss of each record and sees no fakes.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

__all__ = ["RecordLosses", "judge_rows", "take_losses"]

RecordLosses = Callable[[Tensor, Tensor], Tensor]
"""What a network says of each row, and 1 for real or 0 for fake, both ``(n,)``, to losses ``(n,)``;
each from its own row alone."""


def judge_rows(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the losses of a discriminator, whose outputs are logits that a row is real."""
    return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")


def take_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the outputs of a network that says its own loss of each record."""
    return outputs
