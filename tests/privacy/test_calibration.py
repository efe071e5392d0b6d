"""Plans: within the budget, not wastefully so, by all three accountants."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy import (
    MIN_NOISE_MULTIPLIER,
    Budget,
    GaussianEvent,
    SampledGaussianEvent,
    calibrate_gaussian,
    compute_epsilon,
    make_plan,
)
from privacy.accounting import compute_pld_epsilon

ONE = Budget(epsilon=1, delta=1e-5)
TEN = Budget(epsilon=10, delta=1e-5)


@pytest.mark.parametrize(
    ("epsilon", "noise"), [(1, 3.730632), (4, 1.081162), (10, 0.499889)], ids=["1", "4", "10"]
)
def test_gaussian_noise_agrees_with_pinned_values(epsilon: float, noise: float) -> None:
    """Exact values by Balle and Wang 2018; ours may be above by the half percent of slack."""
    found = calibrate_gaussian(Budget(epsilon=epsilon, delta=1e-5))
    assert noise <= found <= noise * 1.006


@pytest.mark.parametrize(
    ("budget", "rate", "steps", "share"),
    [
        (ONE, 0.1, 60, 0.3),
        (TEN, 0.1, 300, 0.3),
        (Budget(epsilon=0.1, delta=1e-6), 0.05, 100, 0.5),
        pytest.param(ONE, 0.5, 1000, 0.01, marks=pytest.mark.slow),
        (ONE, 0.5, 10, 0.99),
        (ONE, 1.0, 1, 0.5),
        (Budget(epsilon=3, delta=1e-9), 0.1, 20, 0.6),
        (TEN, 0.2, 50, 1),
        (ONE, 0.2, 50, 0),
    ],
)
def test_a_plan_spends_the_budget_and_not_more(
    budget: Budget, rate: float, steps: int, share: float
) -> None:
    plan = make_plan(budget, sample_rate=rate, steps=steps, adversarial_share=share)
    assert 0.995 * budget.epsilon < plan.epsilon <= budget.epsilon
    assert plan.epsilon == compute_epsilon(plan.events(), budget.delta)
    assert plan.epsilon <= compute_epsilon(plan.events(), budget.delta, "rdp") + 1e-6
    assert abs(plan.epsilon - compute_epsilon(plan.events(), budget.delta, "prv")) <= 0.03


@settings(max_examples=4, deadline=None)
@given(
    st.floats(0.2, 12),
    st.sampled_from([0.02, 0.1, 0.4, 1.0]),
    st.integers(1, 200),
    st.floats(0.01, 0.99),
)
def test_any_plan_stays_within_its_budget(
    epsilon: float, rate: float, steps: int, share: float
) -> None:
    budget = Budget(epsilon=epsilon, delta=1e-5)
    plan = make_plan(budget, sample_rate=rate, steps=steps, adversarial_share=share)
    assert plan.epsilon <= epsilon
    if plan.training_noise_multiplier != MIN_NOISE_MULTIPLIER:
        assert plan.epsilon > 0.995 * epsilon


def test_the_sketch_gets_its_share_of_inverse_squared_noise() -> None:
    plan = make_plan(ONE, sample_rate=0.1, steps=60, adversarial_share=0.3)
    assert plan.sketch_noise_multiplier == pytest.approx(calibrate_gaussian(ONE) / math.sqrt(0.7))
    sketch, training = plan.events()
    assert sketch == GaussianEvent(noise_multiplier=plan.sketch_noise_multiplier, purpose="sketch")
    assert training == SampledGaussianEvent(
        noise_multiplier=plan.training_noise_multiplier,
        sample_rate=0.1,
        steps=60,
        purpose="training",
    )
    assert plan.epsilon_of("sketch") + plan.epsilon_of("training") > plan.epsilon
    assert plan.epsilon_of("training") >= 0.3 * ONE.epsilon


def test_share_zero_is_the_sketch_alone_and_share_one_training_alone() -> None:
    sketch = make_plan(ONE, sample_rate=0.1, steps=60, adversarial_share=0)
    assert (sketch.training_noise_multiplier, sketch.steps) == (None, 0)
    assert sketch.sketch_noise_multiplier == calibrate_gaussian(ONE)
    training = make_plan(ONE, sample_rate=0.1, steps=60, adversarial_share=1)
    assert training.sketch_noise_multiplier is None
    assert [event.purpose for event in training.events()] == ["training"]


def test_more_steps_more_rate_or_a_smaller_share_need_more_training_noise() -> None:
    def noise(*, rate: float = 0.1, steps: int = 60, share: float = 0.3) -> float:
        plan = make_plan(ONE, sample_rate=rate, steps=steps, adversarial_share=share)
        assert plan.training_noise_multiplier is not None
        return plan.training_noise_multiplier

    assert noise(steps=30) < noise() < noise(steps=120)
    assert noise(rate=0.05) < noise() < noise(rate=0.2)
    assert noise(share=0.6) < noise() < noise(share=0.15)


def test_a_larger_budget_needs_less_noise() -> None:
    noises = [calibrate_gaussian(Budget(epsilon=e, delta=1e-5)) for e in (0.01, 0.1, 1, 10)]
    assert noises == sorted(noises, reverse=True)
    assert calibrate_gaussian(Budget(epsilon=1, delta=1e-7)) > calibrate_gaussian(ONE)


def test_a_very_large_budget_is_left_partly_unspent() -> None:
    huge = Budget(epsilon=1000, delta=1e-5)
    plan = make_plan(huge, sample_rate=0.1, steps=20, adversarial_share=0.5)
    assert plan.training_noise_multiplier == MIN_NOISE_MULTIPLIER
    assert plan.epsilon < 995


def test_a_plan_takes_few_evaluations_and_is_remembered() -> None:
    arguments = {"sample_rate": 0.11, "steps": 61, "adversarial_share": 0.31}
    before = compute_pld_epsilon.cache_info().misses
    plan = make_plan(ONE, **arguments)  # type: ignore[arg-type]
    assert compute_pld_epsilon.cache_info().misses - before <= 12
    assert make_plan(ONE, **arguments) is plan  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("sample_rate", 0),
        ("sample_rate", 1.5),
        ("steps", 0),
        ("steps", -3),
        ("adversarial_share", -0.1),
        ("adversarial_share", 1.1),
        ("adversarial_share", 0.001),
        ("adversarial_share", 0.999),
        ("adversarial_share", math.nan),
    ],
)
def test_make_plan_refuses(argument: str, value: float) -> None:
    good = {"sample_rate": 0.1, "steps": 10, "adversarial_share": 0.5}
    with pytest.raises(ValueError, match=f"{argument} must be"):
        make_plan(ONE, **(good | {argument: value}))  # type: ignore[arg-type]


def test_a_plan_cannot_be_changed() -> None:
    plan = make_plan(ONE, sample_rate=0.1, steps=60, adversarial_share=0.3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.steps = 600  # type: ignore[misc]


def test_many_full_batches_can_be_planned_without_filling_the_memory() -> None:
    """At the noise where the search starts, this schedule would lose an epsilon of 10^5."""
    plan = make_plan(ONE, sample_rate=1.0, steps=200_000, adversarial_share=0.3)
    assert 0.995 < plan.epsilon <= 1.0
    one_step = make_plan(ONE, sample_rate=1.0, steps=1, adversarial_share=0.3)
    # Gaussians compose exactly: n steps need sqrt(n) times the noise of one.
    ratio = plan.training_noise_multiplier / one_step.training_noise_multiplier
    assert ratio == pytest.approx(200_000**0.5, rel=0.01)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_an_epsilon_too_small_to_plan_for_is_named(share: float) -> None:
    with pytest.raises(ValueError, match="use a larger"):
        make_plan(
            Budget(epsilon=1e-9, delta=1e-5), sample_rate=0.1, steps=60, adversarial_share=share
        )
