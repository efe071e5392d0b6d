"""Noise on arrays: shape, repeatability, rounding, refusals; its law: test_noise_mutants.py."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes

from privacy import SeededRandomness, gaussian_mechanism


def rng(name: str = "noise") -> np.random.Generator:
    return SeededRandomness(0).numpy(name)


@given(array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
def test_shape_is_kept_and_the_input_is_not_changed(shape: tuple[int, ...]) -> None:
    values = np.ones(shape, dtype=np.int64)
    noisy = gaussian_mechanism(values, sensitivity=2, noise_multiplier=3, rng=rng())
    assert noisy.shape == shape
    assert noisy.dtype == np.float64
    assert (values == 1).all()


def test_the_same_stream_gives_the_same_noise_and_another_does_not() -> None:
    values = np.arange(5.0)
    first, again, other = (
        gaussian_mechanism(values, sensitivity=1, noise_multiplier=1, rng=rng(name))
        for name in ("a", "a", "b")
    )
    assert (first == again).all()
    assert (first != other).all()


@pytest.mark.parametrize("noise_std", [1e-3, 1.0, 37.3])
def test_low_bits_are_rounded_away_far_below_the_noise(noise_std: float) -> None:
    values = np.full(100, 1 / 3)
    noisy = gaussian_mechanism(values, sensitivity=noise_std, noise_multiplier=1, rng=rng())
    grid = 2.0 ** (math.floor(math.log2(noise_std)) - 20)
    assert (noisy / grid == np.round(noisy / grid)).all()
    assert grid <= noise_std * 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_without_being_shown(value: float) -> None:
    with pytest.raises(ValueError, match="values must be finite") as caught:
        gaussian_mechanism(np.array([77.5, value]), sensitivity=1, noise_multiplier=1, rng=rng())
    assert "77" not in str(caught.value)


@pytest.mark.parametrize("name", ["sensitivity", "noise_multiplier"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    settings = {"sensitivity": 1.0, "noise_multiplier": 1.0} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be"):
        gaussian_mechanism(np.zeros(2), **settings, rng=rng())
