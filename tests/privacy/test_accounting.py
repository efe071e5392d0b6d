"""Epsilon: pinned values, order of the accountants, monotonicity, silence."""

import logging
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant, RDPAccountant

from privacy import (
    GRID,
    MIN_NOISE_MULTIPLIER,
    AccountantName,
    Adjacency,
    Event,
    GaussianEvent,
    SampledGaussianEvent,
    compute_epsilon,
)
from privacy.accounting import DISCRETE_NOISE_SLACK, compute_pld_epsilon
from privacy.discrete_gaussian import bound_discretisation


def gaussian(noise: float) -> GaussianEvent:
    return GaussianEvent(noise_multiplier=noise, purpose="sketch")


def sampled(noise: float, rate: float, steps: int) -> SampledGaussianEvent:
    return SampledGaussianEvent(
        noise_multiplier=noise, sample_rate=rate, steps=steps, purpose="training"
    )


TYPICAL_RATE, TYPICAL_DELTA = 0.0256, 10_000**-1.1
TYPICAL = [sampled(1.1, TYPICAL_RATE, 781)]
MIXED = [
    sampled(1.1, TYPICAL_RATE, 300),
    sampled(1.5, TYPICAL_RATE, 200),
    sampled(0.9, TYPICAL_RATE / 2, 100),
]
FULL_BATCH = [sampled(5, 1, 100)]


@pytest.mark.parametrize(
    ("events", "delta", "pld", "rdp", "prv"),
    [
        (TYPICAL, TYPICAL_DELTA, 3.430, 3.825, 3.440),
        ([sampled(2.5, TYPICAL_RATE, 781)], TYPICAL_DELTA, 1.044, 1.159, 1.054),
        ([sampled(1.1, 0.128, 160)], 500**-1.1, 6.936, 8.055, 6.946),
        (MIXED, TYPICAL_DELTA, 2.510, 2.847, 2.520),
        (FULL_BATCH, TYPICAL_DELTA, 9.342, 10.10, 9.353),
        ([sampled(1.1, TYPICAL_RATE, 1)], TYPICAL_DELTA, 0.293, 0.856, 0.303),
    ],
    ids=["typical", "more-noise", "small-site", "mixed", "full-batch", "one-step"],
)
def test_epsilon_agrees_with_pinned_values(
    events: Sequence[Event], delta: float, pld: float, rdp: float, prv: float
) -> None:
    assert compute_epsilon(events, delta) == pytest.approx(pld, abs=1.5e-3)
    assert compute_epsilon(events, delta, "rdp") == pytest.approx(rdp, abs=6e-3)
    assert compute_epsilon(events, delta, "prv") == pytest.approx(prv, abs=1.5e-3)


@pytest.mark.parametrize(("events", "epsilon"), [(TYPICAL, 5.803), (FULL_BATCH, 23.09)])
def test_replace_one_costs_more_and_only_pld_knows(events: list[Event], epsilon: float) -> None:
    replace = Adjacency.REPLACE_ONE
    found = compute_epsilon(events, TYPICAL_DELTA, adjacency=replace)
    assert found == pytest.approx(epsilon, abs=5e-3)
    for accountant in ("rdp", "prv"):
        with pytest.raises(ValueError, match="adjacency must be 'add_or_remove_one'"):
            compute_epsilon(events, TYPICAL_DELTA, accountant, adjacency=replace)


def test_opacus_own_accountants_agree_on_the_typical_case() -> None:
    prv, rdp = PRVAccountant(), RDPAccountant()
    prv.history = rdp.history = [(1.1, TYPICAL_RATE, 781)]
    assert compute_epsilon(TYPICAL, TYPICAL_DELTA, "rdp") == pytest.approx(
        rdp.get_epsilon(TYPICAL_DELTA), abs=1e-3
    )
    assert abs(compute_epsilon(TYPICAL, TYPICAL_DELTA) - prv.get_epsilon(TYPICAL_DELTA)) < 0.02


def exact_gaussian_delta(epsilon: float, noise: float) -> float:
    """Balle and Wang 2018, Theorem 8."""

    def phi(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    return phi(0.5 / noise - epsilon * noise) - math.exp(epsilon) * phi(
        -0.5 / noise - epsilon * noise
    )


@pytest.mark.parametrize("noises", [[0.5], [1.0], [3.73], [20.0], [2.0, 3.0, 4.0], [300.0, 0.4]])
def test_pld_of_gaussians_agrees_with_the_closed_form(noises: list[float]) -> None:
    epsilon = compute_epsilon([gaussian(noise) for noise in noises], 1e-5)
    together = sum(noise**-2 for noise in noises) ** -0.5
    assert exact_gaussian_delta(epsilon, together) <= 1e-5 * (1 + 1e-6)
    assert exact_gaussian_delta(epsilon * 0.997 - 2e-4, together) > 1e-5


RATES = st.sampled_from([0.01, 0.1, 0.5, 1.0])
NOISES = st.floats(min_value=1, max_value=8)
STEPS = st.integers(1, 60)
DELTAS = st.sampled_from([1e-7, 1e-5, 1e-3])


@settings(max_examples=5, deadline=None)
@given(NOISES, RATES, STEPS, NOISES, DELTAS)
def test_accountants_keep_their_order(
    noise: float, rate: float, steps: int, sketch: float, delta: float
) -> None:
    events = [gaussian(sketch), sampled(noise, rate, steps)]
    pld, rdp, prv = (compute_epsilon(events, delta, name) for name in ("pld", "rdp", "prv"))
    assert 0 <= pld <= rdp + 1e-6
    assert abs(pld - prv) <= 0.03


@settings(max_examples=5, deadline=None)
@given(NOISES, RATES, STEPS, DELTAS)
def test_epsilon_grows_with_steps_and_rate_and_falls_with_noise_and_delta(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    epsilon = compute_epsilon([sampled(noise, rate, steps)], delta)
    slack = 1e-9
    assert compute_epsilon([sampled(noise, rate, steps + 5)], delta) >= epsilon - slack
    assert compute_epsilon([sampled(noise, min(1, rate * 1.5), steps)], delta) >= epsilon - slack
    assert compute_epsilon([sampled(noise * 1.2, rate, steps)], delta) <= epsilon + slack
    assert compute_epsilon([sampled(noise, rate, steps)], delta * 2) <= epsilon + slack
    both = [sampled(noise, rate, steps), gaussian(50)]
    assert compute_epsilon(both, delta) >= epsilon - slack


def test_order_and_grouping_of_events_do_not_matter() -> None:
    once = compute_epsilon([gaussian(2), sampled(1.5, 0.1, 30)], 1e-5)
    parts = [sampled(1.5, 0.1, 10), gaussian(2), sampled(1.5, 0.1, 20)]
    assert compute_epsilon(parts, 1e-5) == once
    assert compute_epsilon(reversed(parts), 1e-5) == once


@pytest.mark.parametrize("accountant", ["pld", "rdp", "prv"])
def test_no_events_cost_nothing(accountant: AccountantName) -> None:
    assert compute_epsilon([], 1e-5, accountant) == 0


@pytest.mark.parametrize("accountant", ["pld", "rdp", "prv"])
def test_a_tiny_loss_at_a_high_delta_is_never_negative(accountant: AccountantName) -> None:
    assert compute_epsilon([sampled(20, 0.001, 5)], 0.1, accountant) == 0


def test_gdp_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"'gdp' is never used.*underestimates"):
        compute_epsilon(TYPICAL, 1e-5, "gdp")  # type: ignore[arg-type]


def test_an_unknown_accountant_is_refused() -> None:
    with pytest.raises(ValueError, match="accountant must be 'pld', 'rdp' or 'prv', got 'magic'"):
        compute_epsilon(TYPICAL, 1e-5, "magic")  # type: ignore[arg-type]


def test_pld_refuses_too_little_noise_and_rdp_answers() -> None:
    events = [gaussian(5), sampled(0.29, 0.1, 3)]
    with pytest.raises(ValueError, match=r"noise_multiplier must be >= 0.3 .* got 0.29"):
        compute_epsilon(events, 1e-5)
    assert compute_epsilon(events, 1e-5, "rdp") > 0


@pytest.mark.parametrize("delta", [0, 1e-10, 1])
def test_delta_out_of_range_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="delta must be"):
        compute_epsilon(TYPICAL, delta)


def test_a_huge_epsilon_is_still_counted_quickly_and_below_rdp() -> None:
    events = [sampled(0.3, 0.1, 300)]
    assert 200 < compute_epsilon(events, 1e-5) <= compute_epsilon(events, 1e-5, "rdp")


def test_users_see_no_remarks_of_the_accountants(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for accountant in ("pld", "rdp", "prv"):
            # 161 steps, not 160: nothing may be answered from a cache.
            compute_epsilon([sampled(1.1, 0.128, 161)], 1e-3, accountant)
            compute_epsilon([sampled(20, 0.001, 6)], 0.1, accountant)
            compute_epsilon([sampled(50, 0.1, 11)], 1e-5, accountant)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_every_release_of_counts_is_charged_the_slack_of_its_noise() -> None:
    """Discrete noise may cost that much more than the continuous noise that is counted."""
    event = GaussianEvent(noise_multiplier=4.0, purpose="sketch")
    charged = compute_epsilon([event], 1e-5) - compute_pld_epsilon(((4.0, 1.0, 1),), 1e-5)
    assert charged == pytest.approx(DISCRETE_NOISE_SLACK)
    worst = bound_discretisation(MIN_NOISE_MULTIPLIER * GRID, 2**20)
    assert worst <= DISCRETE_NOISE_SLACK
