"""Checks of accounting that can fail: applied to the real thing, then to broken versions of it."""

from collections.abc import Callable, Sequence

import pytest
from opacus.accountants import GaussianAccountant

from privacy import Event, SampledGaussianEvent, compute_epsilon
from privacy.schedules import make_schedule

Accountant = Callable[[Sequence[Event], float], float]
DELTA = 10_000**-1.1


def check_accountant(accountant: Accountant) -> None:
    """Fail unless a changing schedule costs what two independent code bases say."""
    mixed = [
        SampledGaussianEvent(noise_multiplier=n, sample_rate=q, steps=t, purpose="training")
        for n, q, t in [(1.1, 0.0256, 300), (1.5, 0.0256, 200), (0.9, 0.0128, 100)]
    ]
    assert accountant(mixed, DELTA) == pytest.approx(2.510, abs=0.02)
    assert accountant([], DELTA) == 0


def last_segment_only(events, delta):
    return compute_epsilon(events[-1:], delta)


def epsilons_added_up(events, delta):
    return sum(compute_epsilon([event], delta) for event in events)


def mean_noise(events, delta):
    steps = sum(event.steps for event in events)
    noise = sum(event.noise_multiplier * event.steps for event in events) / max(1, steps)
    if not events:
        return 0.0
    one = SampledGaussianEvent(
        noise_multiplier=noise, sample_rate=0.0128, steps=steps, purpose="training"
    )
    return compute_epsilon([one], delta)


def opacus_gdp(events, delta):
    accountant = GaussianAccountant.__new__(GaussianAccountant)
    accountant.history = list(make_schedule(events))[-1:]
    return accountant.get_epsilon(delta) if events else 0.0


def test_the_accountant_counts_everything() -> None:
    check_accountant(compute_epsilon)


@pytest.mark.parametrize("mutant", [last_segment_only, epsilons_added_up, mean_noise, opacus_gdp])
def test_a_broken_accountant_is_found(mutant: Accountant) -> None:
    with pytest.raises(AssertionError):
        check_accountant(mutant)
