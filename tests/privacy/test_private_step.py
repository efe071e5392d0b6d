"""The private step: exact against one record at a time, one clip of sensitivity, noise once."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opacus.accountants import RDPAccountant
from private_steps import (
    FAKES,
    WIDTH,
    draw_fakes,
    flat_gradient,
    make_discriminator,
    make_step,
    one_by_one,
)
from scipy import stats
from torch import Tensor, nn

from privacy import PrivateStep, SeededRandomness

CLIPS = [0.1, 1.0, 10.0]


def summed(discriminator: nn.Module, real: Tensor, fake: Tensor, clip: float) -> Tensor:
    step = make_step(discriminator, clip=clip, fake_batch_size=len(fake))
    step.sum_clipped_gradients(real, fake)
    return flat_gradient(discriminator)


def check_exact(real: Tensor, fake: Tensor, clip: float, seed: int, hidden: int = 8) -> None:
    width = fake.shape[1]
    wanted = one_by_one(make_discriminator(seed, width, hidden), real, fake, clip)
    found = summed(make_discriminator(seed, width, hidden), real, fake, clip).double()
    assert float((found - wanted).norm()) <= 1e-5 * float(wanted.norm())


@settings(max_examples=30, deadline=None)
@given(
    width=st.integers(1, 12),
    hidden=st.integers(1, 9),
    rows=st.integers(0, 9),
    fakes=st.integers(1, 9),
    clip=st.sampled_from(CLIPS),
    seed=st.integers(0, 999),
)
@example(width=1, hidden=3, rows=2, fakes=1, clip=1.0, seed=466)  # records that nearly cancel
def test_the_sum_is_that_of_rows_taken_one_by_one(width, hidden, rows, fakes, clip, seed) -> None:
    real = draw_fakes(rows, width, seed + 1)
    check_exact(real, draw_fakes(fakes, width, seed), clip, seed, hidden)


@pytest.mark.parametrize("rows", [0, 1, 2, 257])
@pytest.mark.parametrize("clip", CLIPS)
def test_batch_sizes_are_exact(rows: int, clip: float) -> None:
    check_exact(3 * draw_fakes(rows, seed=5), draw_fakes(33), clip, 0)


def test_one_hot_rows_are_exact() -> None:
    real = nn.functional.one_hot(torch.arange(12) % WIDTH, WIDTH).float()
    check_exact(real, real[:5].flip(0), 0.1, 3)


def test_logits_of_one_column_or_none_are_the_same_step() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = make_discriminator(4)

        def forward(self, rows: Tensor) -> Tensor:
            return self.layers(rows).squeeze(1)

    real, fake = draw_fakes(7, seed=1), draw_fakes()
    torch.testing.assert_close(
        summed(Flat(), real, fake, 0.5), summed(make_discriminator(4), real, fake, 0.5)
    )


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 3e38, 1e30])
@pytest.mark.parametrize("place", [0, 3])
def test_a_record_that_is_not_finite_adds_nothing_and_spoils_nobody(poison, place) -> None:
    clean = draw_fakes(6, seed=2)
    bad = clean[:1].clone()
    bad[0, 1] = poison
    spoiled = torch.cat([clean[:place], bad, clean[place:]])
    without = summed(make_discriminator(), clean, draw_fakes(), 1.0)
    found = summed(make_discriminator(), spoiled, draw_fakes(), 1.0)
    assert torch.isfinite(found).all()
    if poison == 1e30:  # huge but finite: a record like any other, clipped
        assert float((found - without).norm()) <= 1 + 1e-4
    else:
        torch.testing.assert_close(found, without, rtol=1e-6, atol=1e-7)


def test_only_records_that_are_not_finite_are_an_empty_batch() -> None:
    nothing = summed(make_discriminator(), torch.empty(0, WIDTH), draw_fakes(), 1.0)
    found = summed(make_discriminator(), torch.full((4, WIDTH), math.nan), draw_fakes(), 1.0)
    torch.testing.assert_close(found, nothing)


def test_a_fake_that_is_not_finite_adds_nothing() -> None:
    fake = draw_fakes()
    fake[2] = math.inf
    real = draw_fakes(3, seed=8)
    kept = torch.cat([fake[:2], fake[3:]])
    torch.testing.assert_close(
        summed(make_discriminator(), real, fake, 1.0),
        summed(make_discriminator(), real, kept, 1.0),
    )


def test_broken_weights_are_named_instead_of_trained_on() -> None:
    discriminator = make_discriminator()
    with torch.no_grad():
        discriminator[0].weight[0, 0] = math.nan
    with pytest.raises(ValueError, match="start from fresh ones"):
        make_step(discriminator).step(draw_fakes(2), draw_fakes())


class OneOver(nn.Module):
    """One over a weighted sum: of a row of zeros, no finite number."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, 1, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        return 1.0 / self.layer(rows).reshape(len(rows))


@pytest.mark.parametrize("poison", [None, math.nan])
def test_whether_weights_are_refused_does_not_tell_whether_a_record_was_there(poison) -> None:
    """A coordinator may choose the weights that a round begins with."""
    real = draw_fakes(4, seed=3)
    if poison is not None:
        real[1, 0] = poison
    with pytest.raises(ValueError, match="start from fresh ones"):
        make_step(OneOver()).step(real, draw_fakes())


def updates(noise: float, clip: float, real: Tensor, steps: int, seed: int = 1) -> Tensor:
    """What each step adds to the weights, with the network put back in between."""
    discriminator = make_discriminator(hidden=40)
    step = make_step(
        discriminator,
        clip=clip,
        noise=noise,
        expected_batch_size=1,
        stream=SeededRandomness(seed).stream("noise"),
    )
    start = [p.detach().clone() for p in discriminator.parameters()]
    moves = []
    for _ in range(steps):
        step.step(real, draw_fakes())
        weights = list(discriminator.parameters())
        moves.append(torch.cat([(a - b).flatten() for a, b in zip(start, weights, strict=True)]))
        with torch.no_grad():
            for weight, first in zip(weights, start, strict=True):
                weight.copy_(first)
    return torch.stack(moves).detach()


@pytest.mark.parametrize(("noise", "clip"), [(1.0, 1.0), (2.5, 0.1), (0.7, 10.0)])
@pytest.mark.parametrize("rows", [0, 4])
def test_noise_is_normal_of_the_stated_size_and_added_once(noise, clip, rows) -> None:
    real = draw_fakes(rows, seed=3)
    exact = updates(0.0, clip, real, 1)
    drawn = ((updates(noise, clip, real, 60) - exact) / (noise * clip)).flatten()
    assert abs(float(drawn.std()) - 1) < 0.03
    assert abs(float(drawn.mean())) < 0.03
    assert stats.kstest(drawn.numpy(), "norm").pvalue > 1e-3


def test_noise_differs_from_step_to_step() -> None:
    first, second = updates(1.0, 1.0, draw_fakes(2), 2)
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.3
    assert (first != second).all()


def test_the_divisor_is_the_declared_batch_size_and_not_the_true_one() -> None:
    real = draw_fakes(9, seed=3)
    discriminator = make_discriminator()
    before = torch.cat([p.detach().flatten() for p in discriminator.parameters()]).clone()
    make_step(discriminator, expected_batch_size=200).step(real, draw_fakes())
    after = torch.cat([p.detach().flatten() for p in discriminator.parameters()])
    total = one_by_one(make_discriminator(), real, draw_fakes(), 1.0)
    torch.testing.assert_close((before - after).double(), total / 200, rtol=1e-3, atol=1e-7)


def test_an_empty_batch_is_a_step_with_noise() -> None:
    (move,) = updates(1.0, 1.0, torch.empty(0, WIDTH), 1)
    assert (move != 0).all()


def test_steps_do_not_add_up_in_the_gradient() -> None:
    discriminator = make_discriminator()
    step = make_step(discriminator)
    real = draw_fakes(4, seed=6)
    step.sum_clipped_gradients(real, draw_fakes())
    once = flat_gradient(discriminator)
    step.sum_clipped_gradients(real, draw_fakes())
    torch.testing.assert_close(flat_gradient(discriminator), once)


def test_opacus_accountants_see_every_step() -> None:
    accountant, step = RDPAccountant(), make_step(make_discriminator(), noise=1.3)
    step.optimizer.attach_step_hook(accountant.get_optimizer_hook_fn(sample_rate=0.1))
    for rows in (4, 0, 2):
        step.step(draw_fakes(rows), draw_fakes())
    assert accountant.history == [(1.3, 0.1, 3)]


def test_one_sum_gets_noise_only_once() -> None:
    step = make_step(make_discriminator(), noise=1.0)
    step.step(draw_fakes(3), draw_fakes())
    with pytest.raises(ValueError, match="haven't been cleared"):
        step.optimizer.add_noise()


@pytest.mark.parametrize("number", [0, FAKES - 1, FAKES + 1])
def test_another_number_of_fakes_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="fake_batch_size=5"):
        make_step(make_discriminator()).step(draw_fakes(3), draw_fakes(number))


class WithBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = make_discriminator()
        self.register_buffer("seen", torch.zeros(1))


@pytest.mark.parametrize(
    "discriminator",
    [
        nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)),
        nn.Sequential(nn.Linear(WIDTH, 4), nn.InstanceNorm1d(4, track_running_stats=True)),
        WithBuffer(),
    ],
)
def test_layers_that_mix_or_remember_records_are_refused(discriminator: nn.Module) -> None:
    with pytest.raises(ValueError, match="every record by itself"):
        make_step(discriminator)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"noise_multiplier": -0.1}, "noise_multiplier"),
        ({"noise_multiplier": math.nan}, "noise_multiplier"),
        ({"noise_multiplier": math.inf}, "noise_multiplier"),
        ({"max_grad_norm": 0.0}, "max_grad_norm"),
        ({"max_grad_norm": 1e-40}, "max_grad_norm"),
        ({"max_grad_norm": math.inf}, "max_grad_norm"),
        ({"max_grad_norm": math.nan}, "max_grad_norm"),
        ({"expected_batch_size": 0}, "expected_batch_size"),
        ({"fake_batch_size": 0}, "fake_batch_size"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, name: str) -> None:
    right = {
        "noise_multiplier": 1.0,
        "max_grad_norm": 1.0,
        "expected_batch_size": 10,
        "fake_batch_size": 10,
    }
    with pytest.raises(ValueError, match=name):
        PrivateStep(
            make_discriminator(),
            partial(torch.optim.SGD, lr=1.0),
            stream=SeededRandomness(0).stream("noise"),
            **(right | wrong),
        )
