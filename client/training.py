"""One adversarial round at a site: private discriminator steps, then free generator steps.

Only the discriminator sees records, and only through the private step. The generator sees the
discriminator and the pooled private sketch: post-processing, whatever the number of its steps.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from client.canaries import read_training_units
from client.phases import begin_phase, round_phase
from client.refusals import MalformedRequest
from client.reserving import reserve_study
from client.settings import StudyRequest
from client.site import Site
from client.state import StudyState
from privacy import (
    PrivateTrainer,
    RandomStream,
    SampledGaussianEvent,
    SitePlan,
)
from synthesis.adversarial import GeneratorStepSettings
from synthesis.coverage import Coverage, coverage_size
from synthesis.fitting import SketchLoss
from synthesis.kinds import AnySchema, kind_of
from synthesis.layout import SketchLayout
from synthesis.schema import Schema
from synthesis.targets import make_targets
from synthesis.units import Units

MAX_POOLED_NOISE = 1e12


def train_round(
    site: Site,
    request: StudyRequest,
    generator: nn.Module,
    *,
    server_round: int,
    pooled_sketch: Tensor | None,
    pooled_noise_std: float,
) -> nn.Module:
    """Train on the site's records for one round and return the local generator.

    Args:
        site: the data site.
        request: the study's settings; the same as in the sketch.
        generator: the global generator as received.
        server_round: from 1; each round is run once.
        pooled_sketch: sum of all sites' noisy sketches, and its coverage where sites lack columns;
            kept, and sent until a round succeeded.
        pooled_noise_std: standard deviation of the noise in the pooled sketch.

    Raises:
        AlreadyReleased: if this round was run before, or a later one has begun.
        MalformedRequest: if the round was not planned, or the pooled sketch is missing or odd.
    """
    plan, reservation = reserve_round(site, request, server_round)
    state = StudyState(site.folder, request.study)
    pooled = _find_pooled_sketch(site.schema, state, pooled_sketch)
    penalty = _sketch_loss(site.schema, pooled, pooled_noise_std) if pooled is not None else None
    if pooled_sketch is not None:  # only now is it known to be of the right form
        state.save_pooled_sketch(pooled_sketch)
    begin_phase(site, reservation, round_phase(server_round))
    discriminator = _improve_discriminator(site, request, plan, generator, server_round)
    return kind_of(site.schema).improve(
        copy.deepcopy(generator),
        discriminator,
        penalty,
        choose_generator_steps(
            plan,
            discriminator,
            generator_steps=request.generator_steps,
            expected_batch_size=request.expected_batch_size,
            proximal=request.proximal,
        ),
        rng=_draw_for(site, request, server_round)("generator"),
    )


def train_judge(
    site: Site, request: StudyRequest, generator: nn.Module, *, server_round: int
) -> nn.Module:
    """Train on the site's records for one round and return the discriminator, for the coordinator.

    It is the mechanism's own release: accounting takes every step's noisy gradient as published.
    Nothing else differs from ``train_round``, whose generator follows from it for free.

    Args:
        site: the data site.
        request: the study's settings; the same as in the sketch.
        generator: the global generator as received.
        server_round: from 1; each round is run once.

    Raises:
        AlreadyReleased: if this round was run before, or a later one has begun.
        MalformedRequest: if the round was not planned.
    """
    plan, reservation = reserve_round(site, request, server_round)
    begin_phase(site, reservation, round_phase(server_round))
    return _improve_discriminator(site, request, plan, generator, server_round)


def reserve_round(site: Site, request: StudyRequest, server_round: int) -> tuple[SitePlan, str]:
    """Return the plan of the study that a round belongs to, and its reservation.

    Raises:
        MalformedRequest: if the round was not planned.
    """
    if not 1 <= server_round <= request.rounds:
        raise MalformedRequest("server-round must be one of the rounds that were reserved.")
    return reserve_study(site, request)


def _draw_for(
    site: Site, request: StudyRequest, server_round: int
) -> Callable[[str], torch.Generator]:
    return partial(site.randomness.torch, site.config.name, request.study, server_round)


def _improve_discriminator(
    site: Site, request: StudyRequest, plan: SitePlan, generator: nn.Module, server_round: int
) -> nn.Module:
    """Run and keep the private steps of a round that has begun."""
    rng, state = _draw_for(site, request, server_round), StudyState(site.folder, request.study)
    kind = kind_of(site.schema, site.missing)
    discriminator = kind.make_discriminator(rng("discriminator"))
    trainer = _make_trainer(site, request, plan, discriminator, server_round)
    state.restore_training(server_round, discriminator, trainer.optimizer)
    kind.begin_round(discriminator, generator)
    _train_discriminator(
        site,
        request,
        trainer,
        partial(kind.draw_fakes, generator, rng=rng("fakes")),
        partial(kind.to_rows, rng=rng("views")),
        site.randomness.stream(site.config.name, request.study, server_round, "rows"),
    )
    state.save_training(server_round, discriminator, trainer.optimizer)
    return discriminator


def weights_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the weights of a network as arrays, by name."""
    return {name: weight.numpy() for name, weight in network.state_dict().items()}


def choose_generator_steps(
    plan: SitePlan,
    discriminator: nn.Module,
    *,
    generator_steps: int,
    expected_batch_size: int,
    proximal: float = 0.0,
) -> GeneratorStepSettings:
    """Choose smaller generator steps where the discriminator must be mostly noise.

    Its gradients can add up to at most ``steps * expected_batch_size`` clips, while the noise grows
    with the root of steps and weights. All of that is public, so nothing is spent on knowing it.
    """
    num_weights = sum(parameter.numel() for parameter in discriminator.parameters())
    noise = (plan.training_noise_multiplier or 0.0) * (plan.steps * num_weights) ** 0.5
    signal = plan.steps * expected_batch_size
    usual = GeneratorStepSettings(steps=generator_steps, proximal=proximal)
    return usual.slowed(signal=signal, noise=noise)


def find_training_event(plan: SitePlan) -> SampledGaussianEvent:
    """Return what the ledger holds for the private steps of all rounds.

    Raises:
        ValueError: if the plan has no rounds.
    """
    events = [event for event in plan.events() if isinstance(event, SampledGaussianEvent)]
    if len(events) != 1:
        raise ValueError("the plan has no adversarial rounds.")
    return events[0]


def _make_trainer(
    site: Site,
    request: StudyRequest,
    plan: SitePlan,
    discriminator: nn.Module,
    server_round: int,
) -> PrivateTrainer:
    """Return the trainer of one round, for the event that stands in the ledger."""
    kind = kind_of(site.schema)
    return PrivateTrainer(
        find_training_event(plan),
        discriminator,
        kind.make_optimizer,
        width=kind.width,
        max_grad_norm=request.max_grad_norm,
        expected_batch_size=request.expected_batch_size,
        fake_batch_size=kind.count_fakes(request.expected_batch_size),
        randomness=site.randomness,
        path=(site.config.name, request.study, server_round),
        simulation=site.is_simulated,
    )


def _train_discriminator(
    site: Site,
    request: StudyRequest,
    trainer: PrivateTrainer,
    draw_fakes: Callable[[int], Tensor],
    to_rows: Callable[[NDArray[np.integer]], Tensor],
    picks: RandomStream,
) -> None:
    units = read_training_units(site, request)
    take_rows = take_one_row_each(units, to_rows, picks)
    trainer.train(units.n_units, take_rows, draw_fakes, steps=request.discriminator_steps)


def take_one_row_each(
    units: Units, to_rows: Callable[[NDArray[np.integer]], Tensor], picks: RandomStream
) -> Callable[[Tensor], Tensor]:
    """Return what gives one row for each unit of a batch: one of its own rows, at random.

    So a person with many rows moves a step by no more than one clip.

    Args:
        units: of the site.
        to_rows: from codes to rows, each by itself.
        picks: draws which row of a person it is.
    """

    def take_rows(chosen: Tensor) -> Tensor:
        draws = picks.uniform((len(chosen),))
        return to_rows(units.codes[units.choose_rows(chosen.numpy(), draws)])

    return take_rows


def _find_pooled_sketch(
    schema: AnySchema, state: StudyState, received: Tensor | None
) -> Tensor | None:
    """Return the pooled sketch that holds the rounds; None for a kind of data without that."""
    if not kind_of(schema).is_held:
        if received is not None:
            raise MalformedRequest("rounds on images take no pooled sketch.")
        return None
    if received is not None:
        return received
    try:
        return state.load_pooled_sketch()
    except FileNotFoundError:
        raise MalformedRequest("the pooled sketch must come before the first round.") from None


def _sketch_loss(schema: AnySchema, pooled: Tensor, noise_std: float) -> SketchLoss:
    assert isinstance(schema, Schema)  # a kind that is held
    layout = SketchLayout.from_schema(schema)
    length, more = layout.dimension, coverage_size(layout)
    if pooled.shape not in ((length,), (length + more,)):
        raise MalformedRequest(
            f"the pooled sketch must have shape ({length},), or ({length + more},) with coverage."
        )
    if not 0 <= noise_std <= MAX_POOLED_NOISE:
        raise MalformedRequest(f"pooled-noise-std must be between 0 and {MAX_POOLED_NOISE:g}.")
    values, coverage = pooled.double().numpy(), None
    if len(values) > length:
        try:
            coverage = Coverage.from_vector(layout, values[length:])
        except ValueError as error:
            raise MalformedRequest(f"the pooled sketch cannot be read: {error}") from None
        if coverage.find_untold(layout):
            raise MalformedRequest("the pooled sketch must tell of every column.")
    return SketchLoss(make_targets(layout, values[:length], noise_std, coverage))
