"""Composition done quickly costs what dp-accounting says of the same releases one by one."""

import dp_accounting
import pytest
from dp_accounting.pld import PLDAccountant
from hypothesis import example, given, settings
from hypothesis import strategies as st

from privacy import Event, GaussianEvent, SampledGaussianEvent, compute_epsilon
from privacy.accounting import DISCRETE_NOISE_SLACK, compute_pld_epsilon
from privacy.losses import merge_gaussians
from privacy.schedules import Schedule, make_schedule

DELTA = 1e-5
INTERVAL = 1e-4
ADD_OR_REMOVE = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE

RELEASES = st.lists(
    st.tuples(
        st.floats(min_value=3, max_value=20),
        st.sampled_from([0.01, 0.03, 0.1, 1.0, 1.0]),
        st.sampled_from([1, 1, 2, 5, 5, 12]),
    ),
    min_size=1,
    max_size=7,
)


def one_by_one(releases: list[tuple[float, float, int]]) -> float:
    """The accountant's own composition, in the order of the releases and nothing merged."""
    accountant = PLDAccountant(ADD_OR_REMOVE, value_discretization_interval=INTERVAL)
    for noise, rate, steps in releases:
        gaussian = dp_accounting.GaussianDpEvent(noise)
        event = gaussian if rate == 1 else dp_accounting.PoissonSampledDpEvent(rate, gaussian)
        accountant.compose(event, steps)
    return float(accountant.get_epsilon(DELTA))


def to_event(noise: float, rate: float, steps: int) -> Event:
    return SampledGaussianEvent(
        noise_multiplier=noise, sample_rate=rate, steps=steps, purpose="training"
    )


def check_composition(compose, releases: list[tuple[float, float, int]]) -> None:
    reference = one_by_one(releases)
    schedule = make_schedule([to_event(*release) for release in releases])
    found = compose(schedule)
    assert found >= reference - 1e-6
    assert found == pytest.approx(reference, rel=1e-3, abs=1e-6)


def ours(schedule: Schedule) -> float:
    return compute_pld_epsilon(schedule, DELTA, interval=INTERVAL)


SEVERAL = [(4.0, 1.0, 2), (5.0, 0.1, 5), (9.0, 1.0, 1), (7.0, 0.03, 5), (3.5, 0.1, 12)]


@settings(max_examples=8, deadline=None)
@given(RELEASES)
@example(SEVERAL)
@example([(8.0, 0.1, 5)] * 7)
@example([(3.0 + number, 0.03, 5) for number in range(7)])
def test_grouped_composition_agrees_with_one_by_one(
    releases: list[tuple[float, float, int]],
) -> None:
    check_composition(ours, releases)


def first_of_each_group(schedule: Schedule) -> float:
    kept = {steps: (noise, rate, steps) for noise, rate, steps in schedule}
    return ours(tuple(sorted(kept.values())))


def noises_averaged(schedule: Schedule) -> float:
    plain = [noise for noise, rate, _ in schedule if rate == 1]
    merged = ((sum(plain) / len(plain), 1.0, len(plain)),)
    return ours(merged + tuple(item for item in schedule if item[1] != 1))


def steps_forgotten(schedule: Schedule) -> float:
    return ours(tuple((noise, rate, 1) for noise, rate, _ in schedule))


@pytest.mark.parametrize("mutant", [first_of_each_group, noises_averaged, steps_forgotten])
def test_a_composition_that_loses_something_is_found(mutant) -> None:
    with pytest.raises(AssertionError):
        check_composition(mutant, SEVERAL)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 1e3), st.integers(1, 50)), min_size=1, max_size=20))
def test_merged_gaussians_keep_their_loss(plain: list[tuple[float, int]]) -> None:
    """A Gaussian release costs mu = 1 / noise, and mus add up as squares (Dong et al. 2019)."""
    schedule = tuple(sorted({(noise, 1.0, steps) for noise, steps in plain}))
    sampled = ((2.0, 0.1, 7),)
    (noise, rate, steps), *rest = merge_gaussians(schedule + sampled)
    assert (rate, steps, tuple(rest)) == (1.0, 1, sampled)
    assert noise**-2 == pytest.approx(sum(times / each**2 for each, _, times in schedule))
    assert merge_gaussians(sampled) == sampled


@pytest.mark.parametrize("steps", [10**6 + 1, 10**30, 10**400])
def test_steps_that_would_keep_a_site_busy_for_hours_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="steps must be at most 1000000"):
        to_event(5.0, 0.001, steps)


@pytest.mark.parametrize("steps", [10**9, 10**400])
def test_a_loss_beyond_all_numbers_is_refused_with_words(steps: int) -> None:
    """Many events of a ledger may add up to what no event may ask for."""
    with pytest.raises(ValueError, match="too many or too little noised for a finite epsilon"):
        compute_pld_epsilon(((0.3, 1.0, steps),), DELTA)


def test_a_long_ledger_of_gaussians_costs_what_one_release_does() -> None:
    many = [GaussianEvent(noise_multiplier=50.0 + i % 7, purpose="sketch") for i in range(500)]
    merged = sum(event.noise_multiplier**-2 for event in many) ** -0.5
    one = [GaussianEvent(noise_multiplier=merged, purpose="sketch")]
    charged = DISCRETE_NOISE_SLACK * (len(many) - len(one))  # for the discreteness of each
    expected = compute_epsilon(one, DELTA) + charged
    assert compute_epsilon(many, DELTA) == pytest.approx(expected, rel=1e-9)
