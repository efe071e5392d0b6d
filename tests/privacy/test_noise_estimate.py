"""Where a search for noise begins: right for one Gaussian release, near for sampled ones."""

import math
from functools import partial

import pytest

from privacy import Event, GaussianEvent, SampledGaussianEvent, compute_epsilon
from privacy.noise_estimate import estimate_log_noise

WIDE = (math.log(0.01), math.log(1e7))


def release(noise: float) -> tuple[Event, ...]:
    return (GaussianEvent(noise_multiplier=noise, purpose="sketch"),)


def sample(noise: float, *, rate: float, steps: int) -> tuple[Event, ...]:
    return (
        SampledGaussianEvent(
            noise_multiplier=noise, sample_rate=rate, steps=steps, purpose="training"
        ),
    )


@pytest.mark.parametrize(
    ("epsilon", "delta", "noise"),
    [
        (1, 1e-5, 3.7306316),
        (10, 1e-5, 0.4998887),
        (0.01, 1e-5, 243.78544),
        (1000, 1e-5, 0.02458178),
        (0.1, 1e-9, 50.209818),
    ],
)
def test_it_is_exact_for_one_gaussian_release(epsilon: float, delta: float, noise: float) -> None:
    """Values of the analytic Gaussian mechanism (Balle and Wang 2018)."""
    found = math.exp(estimate_log_noise(release, epsilon, delta, *WIDE))
    assert found == pytest.approx(noise, rel=1e-5)


@pytest.mark.parametrize(("epsilon", "rate", "steps"), [(1, 0.04, 200), (4, 0.05, 600)])
def test_it_is_near_for_many_sampled_releases(epsilon: float, rate: float, steps: int) -> None:
    events = partial(sample, rate=rate, steps=steps)
    found = math.exp(estimate_log_noise(events, epsilon, 1e-5, math.log(0.3), math.log(1e6)))
    assert compute_epsilon(events(found), 1e-5) == pytest.approx(epsilon, rel=0.15)


def test_it_stays_between_its_bounds() -> None:
    assert estimate_log_noise(release, 1000, 1e-5, 0.0, 5.0) == 0.0
    assert estimate_log_noise(release, 1e-3, 1e-5, 0.0, 5.0) == 5.0
    assert estimate_log_noise(release, 1e-3, 1e-10, 0.0, 50.0) < 50.0
