"""Checks of noise that can fail: applied to the real thing, then to broken versions of it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from privacy import SeededRandomness, gaussian_mechanism

Mechanism = Callable[..., NDArray[np.float64]]


def check_gaussian_noise(mechanism: Mechanism) -> None:
    """Fail unless the noise is normal, independent, and of exactly the promised size."""
    exact = np.tile([0.0, 1.0, -5e3, 1e6], 5_000)
    stream = SeededRandomness(1).stream("check")
    for sensitivity, multiplier in [(3.0, 2.0), (12.4, 0.5)]:
        noisy = mechanism(
            exact, sensitivity=sensitivity, noise_multiplier=multiplier, stream=stream
        )
        noise = (noisy - exact) / (sensitivity * multiplier)
        assert abs(noise.std() - 1) < 0.02
        assert abs(noise.mean()) < 0.03
        assert stats.kstest(noise, "norm").pvalue > 1e-3
        for lag in (1, 4):
            assert abs(np.corrcoef(noise[:-lag], noise[lag:])[0, 1]) < 0.03


def no_noise(counts, *, sensitivity, noise_multiplier, stream):
    return np.array(counts, dtype=float)


def half_noise(counts, *, sensitivity, noise_multiplier, stream):
    return counts + stream.normal(counts.shape) * sensitivity * noise_multiplier / 2


def noise_for_sensitivity_one(counts, *, sensitivity, noise_multiplier, stream):
    return counts + stream.normal(counts.shape) * noise_multiplier


def noise_twice(counts, *, sensitivity, noise_multiplier, stream):
    once = gaussian_mechanism(
        counts, sensitivity=sensitivity, noise_multiplier=noise_multiplier, stream=stream
    )
    return gaussian_mechanism(
        once, sensitivity=sensitivity, noise_multiplier=noise_multiplier, stream=stream
    )


def one_draw_for_all(counts, *, sensitivity, noise_multiplier, stream):
    return counts + stream.normal(1) * sensitivity * noise_multiplier


def one_draw_for_four(counts, *, sensitivity, noise_multiplier, stream):
    draws = stream.normal(len(counts) // 4) * sensitivity * noise_multiplier
    return counts + np.repeat(draws, 4)


def variance_taken_for_deviation(counts, *, sensitivity, noise_multiplier, stream):
    return counts + stream.normal(counts.shape) * (sensitivity * noise_multiplier) ** 2


def laplace_noise(counts, *, sensitivity, noise_multiplier, stream):
    scale = sensitivity * noise_multiplier / math.sqrt(2)
    drawn = stats.laplace.ppf(stream.uniform(counts.shape) + 2.0**-54)
    return counts + scale * drawn


def test_the_noise_is_what_was_promised() -> None:
    check_gaussian_noise(gaussian_mechanism)


@pytest.mark.parametrize(
    "mutant",
    [
        no_noise,
        half_noise,
        noise_for_sensitivity_one,
        noise_twice,
        one_draw_for_all,
        one_draw_for_four,
        variance_taken_for_deviation,
        laplace_noise,
    ],
)
def test_broken_noise_is_found(mutant: Mechanism) -> None:
    with pytest.raises(AssertionError):
        check_gaussian_noise(mutant)
