"""One adversarial round at a site: private discriminator steps, then free generator steps.

Only the discriminator sees records, and only through the private step. The generator sees the
discriminator and the pooled private sketch: post-processing, whatever the number of its steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from client.settings import StudyRequest
from client.site import Site
from client.sketching import reserve_study
from client.state import StudyState
from privacy import SitePlan, poisson_batches
from privacy.private_step import PrivateStep
from synthesis.adversarial import GeneratorStepSettings, improve_generator
from synthesis.discriminator import Discriminator
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.layout import SketchLayout
from synthesis.rows import to_one_hot
from synthesis.targets import make_targets

DISCRIMINATOR_LEARNING_RATE = 2e-2


def train_round(
    site: Site,
    request: StudyRequest,
    generator: Generator,
    *,
    server_round: int,
    pooled_sketch: Tensor | None,
    pooled_noise_std: float,
) -> Generator:
    """Train on the site's records for one round and return the local generator.

    Args:
        site: the data site.
        request: the study's settings; the same as in the sketch.
        generator: the global generator as received.
        server_round: from 1; each round can be run once.
        pooled_sketch: sum of all sites' noisy sketches; kept, and sent until a round succeeded.
        pooled_noise_std: standard deviation of the noise in the pooled sketch.

    Raises:
        RuntimeError: if this round has been run before, or more rounds are asked than planned.
    """
    if not 1 <= server_round <= request.rounds:
        raise RuntimeError("server-round must be one of the rounds that were reserved.")
    plan, reservation = reserve_study(site, request)
    state = StudyState(site.folder, request.study)
    if pooled_sketch is not None:
        state.save_pooled_sketch(pooled_sketch)
    penalty = _sketch_loss(site, state.load_pooled_sketch(), pooled_noise_std)
    site.ledger.mark(reservation, "running", f"round-{server_round}")
    rng = partial(site.randomness.torch, site.config.name, request.study, server_round)
    discriminator = Discriminator(sum(site.schema.sizes), rng=rng("discriminator"))
    step = _make_step(discriminator, request, plan, rng("noise"))
    state.restore_training(discriminator, step.optimizer.original_optimizer)
    _train_discriminator(
        step, _real_batches(site, request, rng("poisson")), generator, rng("fakes")
    )
    state.save_training(discriminator, step.optimizer.original_optimizer)
    local = improve_generator(
        copy.deepcopy(generator),
        discriminator,
        penalty,
        _generator_steps(request, plan, discriminator),
        rng=rng("generator"),
    )
    if server_round == request.rounds and not plan.evaluation:
        site.ledger.mark(reservation, "done")
    return local


def _generator_steps(
    request: StudyRequest, plan: SitePlan, discriminator: Discriminator
) -> GeneratorStepSettings:
    """Choose smaller generator steps where the discriminator must be mostly noise.

    Its gradients can add up to at most ``steps * expected_batch_size`` clips, while the noise grows
    with the root of steps and weights. All of that is public, so nothing is spent on knowing it.
    """
    num_weights = sum(parameter.numel() for parameter in discriminator.parameters())
    noise = (plan.training_noise_multiplier or 0.0) * (plan.steps * num_weights) ** 0.5
    signal = plan.steps * request.expected_batch_size
    usual = GeneratorStepSettings(steps=request.generator_steps)
    return replace(usual, learning_rate=usual.learning_rate * signal / (signal + noise))


def _make_step(
    discriminator: Discriminator, request: StudyRequest, plan: SitePlan, noise: torch.Generator
) -> PrivateStep:
    if plan.training_noise_multiplier is None:
        raise ValueError("the plan has no adversarial rounds.")
    return PrivateStep(
        discriminator,
        partial(torch.optim.Adam, lr=DISCRIMINATOR_LEARNING_RATE, betas=(0.5, 0.9)),
        noise_multiplier=plan.training_noise_multiplier,
        max_grad_norm=request.max_grad_norm,
        expected_batch_size=request.expected_batch_size,
        fake_batch_size=request.expected_batch_size,
        rng=noise,
    )


def _real_batches(site: Site, request: StudyRequest, coins: torch.Generator) -> Iterator[Tensor]:
    """Yield the round's Poisson batches, encoded, ``(n, width)`` with ``n`` possibly 0."""
    schema = site.schema
    codes = site.read_codes()
    for indices in poisson_batches(
        len(codes),
        sample_rate=request.sample_rate,
        steps=request.discriminator_steps,
        rng=coins,
    ):
        yield to_one_hot(codes[indices.numpy()], schema.sizes)


def _train_discriminator(
    step: PrivateStep, batches: Iterator[Tensor], generator: Generator, rng: torch.Generator
) -> None:
    for real in batches:
        with torch.no_grad():
            fake = generator.draw_hard_rows(step.fake_batch_size, rng)
        step.step(real, fake)


def _sketch_loss(site: Site, pooled: Tensor, noise_std: float) -> SketchLoss:
    layout = SketchLayout.from_schema(site.schema)
    return SketchLoss(make_targets(layout, pooled.double().numpy(), noise_std))
