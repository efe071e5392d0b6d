"""The checks that guard the private step, applied to it and to broken steps: they must tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from private_steps import (
    Summed,
    as_many_fakes_as_real,
    check_sensitivity,
    clipped_after_averaging,
    draw_fakes,
    make_discriminator,
    make_step,
    mean_over_the_true_batch,
    no_clip,
    shipped,
    tripled_clip,
    two_forwards_fixed_fakes,
)

from privacy import SensitivityResult, measure_sensitivity


@pytest.mark.parametrize("clip", [0.1, 1.0, 10.0])
def test_one_record_moves_the_step_by_at_most_one_clip_and_the_check_reaches_it(clip) -> None:
    result = check_sensitivity(shipped, clip)
    assert result.holds
    assert result.worst_ratio <= 1 + 1e-5
    assert result.worst_ratio > 0.99


@pytest.mark.parametrize("clip", [0.1, 1.0])
@pytest.mark.parametrize(
    ("mutant", "at_least"),
    [
        (as_many_fakes_as_real, 1.2),
        (tripled_clip, 2.5),
        (no_clip, 10.0),
        (clipped_after_averaging, 1.2),
        (two_forwards_fixed_fakes, 1.2),
        (mean_over_the_true_batch, 1.2),
    ],
)
def test_a_broken_step_is_found(mutant: Summed, at_least: float, clip: float) -> None:
    result = check_sensitivity(mutant, clip)
    assert not result.holds
    assert result.worst_ratio > at_least


def measure_noise(step_noise: float) -> float:
    """Standard deviation of what a step adds, over the clip."""
    discriminator = make_discriminator(hidden=60)
    step = make_step(discriminator, noise=step_noise, expected_batch_size=1)
    before = torch.cat([p.detach().flatten() for p in discriminator.parameters()]).clone()
    exact = make_discriminator(hidden=60)
    make_step(exact, expected_batch_size=1).step(draw_fakes(3), draw_fakes())
    step.step(draw_fakes(3), draw_fakes())
    after, still = (
        torch.cat([p.detach().flatten() for p in d.parameters()]) for d in (discriminator, exact)
    )
    assert before.shape == after.shape
    return float((after - still).std())


def check_noise(step_noise: float, claimed: float) -> None:
    """Fail unless one step's noise has the claimed size, within five standard errors."""
    size = sum(p.numel() for p in make_discriminator(hidden=60).parameters())
    assert abs(measure_noise(step_noise) / claimed - 1) < 5 / np.sqrt(2 * size)


def test_a_step_adds_the_noise_it_claims() -> None:
    check_noise(1.3, claimed=1.3)


@pytest.mark.parametrize("actual", [0.0, 0.65, 1.3 / 4, 2.6, 1.3 * 2**0.5])
def test_noise_that_is_missing_or_of_another_size_is_found(actual: float) -> None:
    with pytest.raises(AssertionError):
        check_noise(actual, claimed=1.3)


def release_sum(rows: torch.Tensor) -> torch.Tensor:
    return rows.sum(0)


@pytest.mark.parametrize(("claimed", "holds"), [(1.0, True), (0.99, False), (2.0, True)])
def test_the_check_itself_measures_a_known_sum(claimed: float, holds: bool) -> None:
    result = measure_sensitivity(
        release_sum,
        claimed=claimed,
        draw_records=lambda rng: torch.randn(3, 2, generator=rng),
        draw_adversary=lambda rng: torch.tensor([[0.6, 0.8]]),
        trials=5,
        rng=torch.Generator().manual_seed(0),
    )
    assert result.trials == 5
    assert result.worst_ratio == pytest.approx(1 / claimed, rel=1e-5)
    assert result.holds is holds


def test_rounding_alone_does_not_break_the_claim() -> None:
    assert SensitivityResult(worst_ratio=1 + 5e-6, trials=1).holds
    assert not SensitivityResult(worst_ratio=1 + 5e-5, trials=1).holds


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_release_that_is_not_finite_is_a_violation(poison: float) -> None:
    result = measure_sensitivity(
        lambda rows: rows.sum(0) if len(rows) < 4 else torch.full((2,), poison),
        claimed=1.0,
        draw_records=lambda rng: torch.zeros(3, 2),
        draw_adversary=lambda rng: torch.zeros(1, 2),
        trials=2,
        rng=torch.Generator().manual_seed(0),
    )
    assert not result.holds


def test_the_added_unit_may_stand_anywhere() -> None:
    def first_counts_double(rows: torch.Tensor) -> torch.Tensor:
        return rows.sum(0) + rows[:1].sum(0)

    result = measure_sensitivity(
        first_counts_double,
        claimed=1.0,
        draw_records=lambda rng: torch.zeros(3, 1),
        draw_adversary=lambda rng: torch.ones(1, 1),
        trials=50,
        rng=torch.Generator().manual_seed(0),
    )
    assert result.worst_ratio == pytest.approx(2)
