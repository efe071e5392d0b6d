"""What an attacker gains at most: the closed form of one release, never above epsilon, delta."""

from __future__ import annotations

import doctest
from collections.abc import Callable

import pytest
from scipy.stats import norm

from privacy import (
    Budget,
    Event,
    GaussianEvent,
    Part,
    SampledGaussianEvent,
    calibrate_gaussian,
    compute_epsilon,
    make_plan,
)
from privacy.audits import allowed_gain, gain, measure_gain

DELTA = 1e-5
FIELDS = ("found_at_1_percent", "found_at_0_1_percent", "right")
TRAINING = SampledGaussianEvent(
    noise_multiplier=1.1, sample_rate=0.0256, steps=781, purpose="training"
)
MANY = (GaussianEvent(noise_multiplier=4.0, purpose="sketch"), TRAINING)


def release(epsilon: float, part: Part = Part.TRAINING) -> GaussianEvent:
    noise = calibrate_gaussian(Budget(epsilon=epsilon, delta=DELTA))
    return GaussianEvent(noise_multiplier=noise, purpose="sketch", part=part)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0, 10.0, 60.0])
def test_one_gaussian_release_gives_what_its_closed_form_gives(epsilon: float) -> None:
    event = release(epsilon)
    mu = 1 / event.noise_multiplier
    found = measure_gain([event], DELTA)
    exact = (
        norm.cdf(norm.ppf(0.01) + mu),
        norm.cdf(norm.ppf(0.001) + mu),
        norm.cdf(mu / 2),
    )
    for name, best in zip(FIELDS, exact, strict=True):
        # The best attack of Neyman and Pearson is never above the bound, and the bound is tight.
        assert best <= getattr(found, name) <= best + 2e-6 * (1 + epsilon), name


def plan_events() -> tuple[Event, ...]:
    budget = Budget(epsilon=2.0, delta=DELTA)
    return make_plan(
        budget, sample_rate=0.1, steps=60, adversarial_share=0.3, evaluation=True
    ).events()


@pytest.mark.parametrize(
    "make_events",  # in the test, for every run of pytest would calibrate what stood here
    [
        lambda: (release(0.1),),
        lambda: (release(1.0),),
        lambda: (release(10.0),),
        lambda: (release(60.0),),
        lambda: MANY,
        plan_events,
    ],
)
def test_it_is_never_more_than_epsilon_and_delta_allow(
    make_events: Callable[[], tuple[Event, ...]],
) -> None:
    events = make_events()
    found = measure_gain(events, DELTA)
    allowed = allowed_gain(compute_epsilon(events, DELTA), DELTA)
    for name in FIELDS:
        assert 0 < getattr(found, name) <= getattr(allowed, name) + 1e-9 <= 1 + 1e-9


def test_at_usual_epsilons_it_is_much_less() -> None:
    found, allowed = measure_gain([release(3.0)], DELTA), allowed_gain(3.0, DELTA)
    assert found.found_at_1_percent < 0.3 * allowed.found_at_1_percent
    assert found.right < 0.65 < 0.95 < allowed.right


def test_more_events_never_gain_less() -> None:
    few, more = measure_gain(MANY[:1], DELTA), measure_gain(MANY, DELTA)
    assert all(getattr(few, name) < getattr(more, name) for name in FIELDS)


def test_of_two_parts_the_worse_counts_and_not_their_sum() -> None:
    training, held_out = release(1.0), release(0.5, Part.HOLD_OUT)
    assert measure_gain([held_out, training], DELTA) == measure_gain([training], DELTA)


def test_without_events_an_attacker_can_only_guess() -> None:
    blind, free = measure_gain((), DELTA), allowed_gain(0.0, 0.0)
    assert [getattr(blind, n) for n in FIELDS] == pytest.approx([getattr(free, n) for n in FIELDS])
    assert doctest.testmod(gain).failed == 0
