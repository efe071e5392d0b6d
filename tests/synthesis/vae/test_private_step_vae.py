"""The private step on autoencoders: exact, and one record moves it by one clip at most."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from digit_images import bright_halves
from private_steps import clip_one, flat_gradient, gradient_of, make_step
from torch import Tensor, nn
from vae_data import IMAGES, TABLE, draw_codes, make_bound

from client.autoencoding import make_vae_optimizer
from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness
from privacy.record_losses import take_losses
from server.study import Study
from simulations.audits import audit_step
from synthesis.kinds.vae import VaeKind

BOTH = pytest.mark.parametrize("schema", [IMAGES, TABLE], ids=["images", "table"])


def make_vae_step(bound: nn.Module, clip: float, **more):
    return make_step(bound, clip=clip, fake_batch_size=0, losses=take_losses, **more)


def no_fakes(rows: Tensor) -> Tensor:
    return rows.new_zeros(0, rows.shape[1])


def one_by_one(bound: nn.Module, rows: Tensor, clip: float) -> Tensor:
    total = torch.zeros(sum(each.numel() for each in bound.parameters()), dtype=torch.float64)
    for row in rows:
        gradient = gradient_of(bound, bound(row[None]).sum())
        if row.isfinite().all() and gradient.norm().isfinite():
            total += clip_one(gradient, clip).double()
    return total


@BOTH
@pytest.mark.parametrize("number", [0, 1, 2, 70])
def test_the_sum_is_that_of_each_record_clipped_by_itself(schema, number: int) -> None:
    kind, bound = make_bound(schema)
    rng = torch.Generator().manual_seed(number)
    rows = kind.to_rows(draw_codes(schema, number), rng)
    if number > 50:
        rows[3, 1], rows[9, -1], rows[20, 4] = math.nan, math.inf, 1e30
    for clip in (0.1, 1.0, 1000.0):
        own = copy.deepcopy(bound)
        make_vae_step(own, clip).sum_clipped_gradients(rows, no_fakes(rows))
        expected, found = one_by_one(bound, rows, clip), flat_gradient(own).double()
        assert found.isfinite().all()
        assert (found - expected).norm() <= 1e-5 * expected.norm()


@BOTH
def test_the_audit_of_a_study_tries_its_autoencoder_and_finds_no_violation(schema) -> None:
    study = Study(model="vae", max_grad_norm=2.5, sample_rate=0.01, nominal_rows=2000)
    audit = audit_step(schema, study, trials=60)
    steps = [each for each in audit.measured if "autoencoder step" in each.name]
    assert [each.claimed for each in steps] == [0.1, 1.0, 10.0, 2.5]
    assert audit.holds
    for each in steps:
        assert 0.9 < each.worst_ratio <= 1 + 1e-5, each
    assert not any("discriminator" in each.name for each in audit.measured)


@BOTH
def test_an_audit_finds_a_loss_that_looks_at_other_records(schema, monkeypatch) -> None:
    _, bound = make_bound(schema)
    exact = type(bound).forward

    def mixed(self: nn.Module, rows: Tensor) -> Tensor:
        losses = exact(self, rows)
        return losses * (1.0 + 0.5 * len(losses))

    monkeypatch.setattr(type(bound), "forward", mixed)
    study = Study(model="vae", max_grad_norm=1e4, sample_rate=0.01, nominal_rows=2000)
    assert not audit_step(schema, study, trials=60).holds


@BOTH
def test_an_empty_batch_gives_zero_gradients_and_broken_weights_are_named_in_it_too(schema) -> None:
    kind, bound = make_bound(schema)
    nothing = torch.zeros(0, kind.width)
    make_vae_step(bound, 1.0).sum_clipped_gradients(nothing, nothing)
    assert not flat_gradient(bound).any()
    with torch.no_grad():
        next(bound.parameters()).view(-1)[0] = math.nan
    for rows in (nothing, kind.to_rows(draw_codes(schema, 3), torch.Generator().manual_seed(0))):
        with pytest.raises(ValueError, match="broken"):
            make_vae_step(copy.deepcopy(bound), 1.0).sum_clipped_gradients(rows, nothing)


def test_fakes_beside_own_losses_are_refused() -> None:
    _, bound = make_bound(TABLE)
    with pytest.raises(ValueError, match="fake_batch_size must be 0"):
        make_step(bound, fake_batch_size=3, losses=take_losses)


@BOTH
@pytest.mark.parametrize("noise", [0.5, 5.0])
def test_a_trainer_takes_the_autoencoder_and_its_noise_reaches_every_weight(schema, noise) -> None:
    kind, bound = make_bound(schema)
    before = [weight.detach().clone() for weight in bound.parameters()]
    trainer = PrivateTrainer(
        SampledGaussianEvent(noise_multiplier=noise, sample_rate=0.5, steps=2, purpose="training"),
        bound,
        make_vae_optimizer,
        width=kind.width,
        max_grad_norm=1.0,
        expected_batch_size=10,
        fake_batch_size=0,
        randomness=SeededRandomness(0),
        path=("site", "study", 1),
        simulation=True,
        losses=take_losses,
    )
    codes, rng = draw_codes(schema, 20), torch.Generator().manual_seed(0)
    trainer.train(
        20,
        lambda units: kind.to_rows(codes[units.numpy()], rng),
        lambda number: torch.zeros(number, kind.width),
    )
    for old, new in zip(before, bound.parameters(), strict=True):
        assert (old != new).all()


def test_a_mirrored_channel_more_does_not_change_what_is_exact() -> None:
    codes, schema = bright_halves(12, side=8, channels=3)
    kind, bound = make_bound(schema)
    rows = kind.to_rows(np.asarray(codes), torch.Generator().manual_seed(1))
    own = copy.deepcopy(bound)
    make_vae_step(own, 1.0).sum_clipped_gradients(rows, no_fakes(rows))
    expected = one_by_one(bound, rows, 1.0)
    assert (flat_gradient(own).double() - expected).norm() <= 1e-5 * expected.norm()
    assert VaeKind(schema).width == rows.shape[1]
