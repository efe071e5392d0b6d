"""Generator steps against a private discriminator: post-processing, any number of them."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch.nn import functional

from synthesis.discriminator import Discriminator
from synthesis.fitting import SketchLoss, update_average
from synthesis.generator import Generator


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


def improve_generator(
    generator: Generator,
    discriminator: Discriminator,
    sketch_loss: SketchLoss | None,
    settings: GeneratorStepSettings,
    *,
    rng: torch.Generator,
) -> Generator:
    """Train the generator to look real while the sketch holds it, and return its running average.

    Args:
        generator: the start; trained in place.
        discriminator: trained under DP-SGD; not changed.
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
        loss = functional.softplus(-discriminator(fake)).mean()
        if sketch_loss is not None:
            excess = sketch_loss.penalised(generator.mixture()) - floor
            loss = loss + settings.sketch_weight * functional.relu(excess)
        if settings.proximal > 0:
            pairs = zip(generator.parameters(), start, strict=True)
            away = torch.stack([(now - then).square().sum() for now, then in pairs]).sum()
            loss = loss + settings.proximal / 2 * away
        loss.backward()
        optimizer.step()
        update_average(average, generator, decay=min(0.9, step / (step + 5)))
    return average
