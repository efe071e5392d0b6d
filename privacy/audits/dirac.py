"""Canaries in the space of gradients, for the private training that a site really runs.

Each canary gets an input of its own, beside the study's own discriminator. The input of a canary's
row is so large that its gradient points along one single weight, and clipping leaves exactly one
clip of it. These weights never move, so every canary keeps its direction from step to step, and the
noisy sum along it is all that a training says about that canary: the most that an attacker can see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from privacy.audits.scores import score_step
from privacy.events import SampledGaussianEvent
from privacy.private_step import OptimizerFactory
from privacy.randomness import Randomness
from privacy.trainer import DrawFakes, PrivateTrainer, TakeRows

__all__ = ["Training", "rehearse_training"]

_LOUD = 1e6
"""Input of a canary over the clip: a discriminator that is nearly sure of it changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a study says about its private training.

    Attributes:
        event: noise, sample rate and steps.
        max_grad_norm: clip of one row's gradient.
        expected_batch_size: declared divisor of the gradient sum, and number of fakes.
        make_optimizer: builds the optimiser that the private step wraps.
    """

    event: SampledGaussianEvent
    max_grad_norm: float
    expected_batch_size: int
    make_optimizer: OptimizerFactory


class CanaryDiscriminator(nn.Module):
    """A discriminator with one more input for each canary, and one more weight, which is zero.

    Args:
        discriminator: maps rows ``(batch, width)`` to logits ``(batch,)`` or ``(batch, 1)``.
        width: encoded width of a row.
        canaries: how many there are.
    """

    def __init__(self, discriminator: nn.Module, width: int, canaries: int) -> None:
        super().__init__()
        self.width = width
        self.discriminator = discriminator
        self.marks = nn.Linear(canaries, 1, bias=False)
        nn.init.zeros_(self.marks.weight)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits ``(batch,)`` for rows ``(batch, width + canaries)``."""
        logits: Tensor = self.discriminator(rows[:, : self.width]).reshape(len(rows))
        marked: Tensor = self.marks(rows[:, self.width :]).squeeze(1)
        return logits + marked


def rehearse_training(
    training: Training,
    discriminator: nn.Module,
    *,
    width: int,
    take_rows: TakeRows,
    marks: NDArray[np.int64],
    canaries: int,
    draw_fakes: DrawFakes,
    randomness: Randomness,
    path: tuple[str | int, ...],
) -> NDArray[np.float64]:
    """Train privately and score every canary by what the steps say about it.

    A step says of a canary: the privatised gradient sum along the direction of its own clipped
    gradient. Counted in clips that is 1 if the canary entered the step and 0 if not, plus noise.

    Args:
        training: how the study trains.
        discriminator: the study's, fresh; trained in place.
        width: encoded width of a row.
        take_rows: gives one encoded row for each unit of a batch.
        marks: for each unit the number of the canary that it is, or -1, ``(units,)``.
        canaries: how many there are, in or out.
        draw_fakes: gives generated rows.
        randomness: source of coins and noise.
        path: names this training among the streams.

    Returns:
        Log-likelihood ratios, ``(canaries,)``; higher means more likely in.
    """
    model = CanaryDiscriminator(discriminator, width, canaries)
    scores = np.zeros(canaries)
    in_clips = training.expected_batch_size / training.max_grad_norm
    noise, rate = training.event.noise_multiplier, training.event.sample_rate

    def score(gradient: NDArray[np.float64]) -> None:
        # A real row's loss falls as its logit grows, so its gradient points down the weight.
        np.add(
            scores,
            score_step(-in_clips * gradient, noise_multiplier=noise, rate=rate),
            out=scores,
        )

    trainer = PrivateTrainer(
        training.event,
        model,
        _watch(training.make_optimizer, model.marks.weight, score),
        width=width + canaries,
        max_grad_norm=training.max_grad_norm,
        expected_batch_size=training.expected_batch_size,
        fake_batch_size=training.expected_batch_size,
        randomness=randomness,
        path=path,
        simulation=True,
    )
    loud = _LOUD * max(1.0, training.max_grad_norm)

    def take_marked(units: Tensor) -> Tensor:
        return torch.cat([take_rows(units), loud * _mark(marks[units.numpy()], canaries)], dim=1)

    def draw_unmarked(number: int) -> Tensor:
        return torch.cat([draw_fakes(number), torch.zeros(number, canaries)], dim=1)

    trainer.train(len(marks), take_marked, draw_unmarked)
    return scores


def _mark(marks: NDArray[np.int64], canaries: int) -> Tensor:
    """Return a one-hot row for each canary and a row of zeros for each -1."""
    inputs = torch.zeros(len(marks), canaries)
    is_canary = np.flatnonzero(marks >= 0)
    inputs[is_canary, marks[is_canary]] = 1.0
    return inputs


def _watch(
    make_optimizer: OptimizerFactory,
    weight: Tensor,
    see: Callable[[NDArray[np.float64]], None],
) -> OptimizerFactory:
    """Return a factory of the same optimiser that shows one weight's gradients and lets it lie."""

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = make_optimizer([each for each in parameters if each is not weight])
        optimizer.add_param_group({"params": [weight], "lr": 0.0})

        def show(*_: object) -> None:
            if weight.grad is None:
                raise RuntimeError("the private step gave the canaries' weight no gradient.")
            see(weight.grad.detach().double().flatten().numpy())

        optimizer.register_step_pre_hook(show)
        return optimizer

    return make
