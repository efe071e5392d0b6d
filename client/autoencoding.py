"""One round of an autoencoder at a site: private steps on its records, and nothing else.

What leaves is the encoder and the decoder, whose every change went through the private step: it is
the release of the event that was reserved, and no post-processing hides it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from client.canaries import read_training_units
from client.phases import begin_phase, round_phase
from client.settings import StudyRequest
from client.site import Site
from client.training import find_training_event, reserve_round, take_one_row_each
from privacy import PrivateTrainer
from privacy.record_losses import take_losses
from synthesis.kinds.vae import AnyVae, VaeKind

LEARNING_RATE = 5e-3


def train_autoencoder(
    site: Site, request: StudyRequest, vae: AnyVae, *, server_round: int
) -> AnyVae:
    """Train on the site's records for one round and return the local autoencoder.

    Args:
        site: the data site.
        request: the study's settings; the same as in the sketch.
        vae: the global autoencoder as received.
        server_round: from 1; each round is run once.

    Raises:
        AlreadyReleased: if this round was run before, or a later one has begun.
        MalformedRequest: if the round was not planned.
    """
    plan, reservation = reserve_round(site, request, server_round)
    path = (site.config.name, request.study, server_round)
    kind, local = VaeKind(site.schema), copy.deepcopy(vae)
    trainer = PrivateTrainer(
        find_training_event(plan),
        kind.bound(local),
        make_vae_optimizer,
        width=kind.width,
        max_grad_norm=request.max_grad_norm,
        expected_batch_size=request.expected_batch_size,
        fake_batch_size=0,
        randomness=site.randomness,
        path=path,
        simulation=site.is_simulated,
        losses=take_losses,
    )
    rng = site.randomness.torch(*path, "views")
    begin_phase(site, reservation, round_phase(server_round))
    units = read_training_units(site, request)
    trainer.train(
        units.n_units,
        take_one_row_each(
            units,
            lambda codes: kind.to_rows(codes, rng),
            site.randomness.stream(*path, "rows"),
        ),
        lambda number: _no_fakes(number, kind.width),
        steps=request.discriminator_steps,
    )
    return local


def make_vae_optimizer(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser that the private step wraps; it starts anew in every round."""
    return torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(0.9, 0.99))


def _no_fakes(number: int, width: int) -> Tensor:
    return torch.zeros(number, width)
