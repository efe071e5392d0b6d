"""Generator steps against a private discriminator: post-processing, any number of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.discriminator import Discriminator
from synthesis.fitting import SketchLoss, update_average
from synthesis.generator import Generator

Judges = Sequence[tuple[Discriminator, float]]
"""Discriminators, each with its weight; weights add up to 1."""


@dataclass(frozen=True, kw_only=True)
class GeneratorStepSettings:
    """How a site's generator follows its discriminator; all public.

    Attributes:
        steps: generator steps per round, >= 0.
        batch_size: fake rows per step.
        learning_rate: of Adam with betas (0.5, 0.9).
        sketch_weight: weight of the sketch loss beside the adversarial loss, as far as it lies
            above what the start had reached, >= 0.
        proximal: weight of half the squared distance to the start, >= 0, so that sites whose rows
            differ do not run apart (mu in Li et al. 2020, "Federated Optimization in
            Heterogeneous Networks", equation 2).
    """

    steps: int
    batch_size: int = 500
    learning_rate: float = 5e-4
    sketch_weight: float = 3.0
    proximal: float = 0.0

    def slowed(self, *, signal: float, noise: float) -> GeneratorStepSettings:
        """Return the same with smaller steps where discriminators must be mostly noise.

        Args:
            signal: how far their weights can have gone by records, > 0.
            noise: how far by noise, in the same unit, >= 0.
        """
        return replace(self, learning_rate=self.learning_rate * signal / (signal + noise))


def improve_generator(
    generator: Generator,
    judges: Judges,
    sketch_loss: SketchLoss | None,
    settings: GeneratorStepSettings,
    *,
    rng: torch.Generator,
) -> Generator:
    """Train the generator to look real while the sketch holds it, and return its running average.

    Args:
        generator: the start; trained in place.
        judges: discriminators trained under DP-SGD, which are not changed: the loss is the weighted
            mean of theirs. More than one is MD-GAN (Hardy et al. 2019, "MD-GAN: Multi-Discriminator
            Generative Adversarial Networks for Distributed Datasets"), without its swaps.
        sketch_loss: penalty that keeps low-order statistics, or None without a sketch.
        settings: steps, batch size and weights.
        rng: draws latent codes and hard rows.
    """
    optimizer = torch.optim.Adam(
        generator.parameters(), lr=settings.learning_rate, betas=(0.5, 0.9)
    )
    # The sketch keeps what has been reached and asks for no more, which would be noise.
    with torch.no_grad():
        floor = 0.0
        if sketch_loss is not None:
            floor = float(sketch_loss.penalised(generator.mixture()))
    average = copy.deepcopy(generator)
    start = [parameter.detach().clone() for parameter in generator.parameters()]
    for step in range(settings.steps):
        optimizer.zero_grad()
        fake = generator.draw_hard_rows(settings.batch_size, rng)
        losses = [weight * functional.softplus(-judge(fake)).mean() for judge, weight in judges]
        loss = torch.stack(losses).sum()
        if sketch_loss is not None:
            excess = sketch_loss.penalised(generator.mixture()) - floor
            loss = loss + settings.sketch_weight * functional.relu(excess)
        if settings.proximal > 0:
            away = square_distance(list(generator.parameters()), start)
            loss = loss + settings.proximal / 2 * away
        loss.backward()
        optimizer.step()
        update_average(average, generator, decay=min(0.9, step / (step + 5)))
    return average


def square_distance(now: Sequence[Tensor], then: Sequence[Tensor]) -> Tensor:
    """Return the squared distance of weights to earlier ones, for a proximal term."""
    pairs = zip(now, then, strict=True)
    return torch.stack([(one - other).square().sum() for one, other in pairs]).sum()
