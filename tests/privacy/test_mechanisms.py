"""Noise on counts: shape, repeatability, the grid, refusals; its law: test_noise_mutants.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from privacy import GRID, RandomStream, SeededRandomness, gaussian_mechanism
from privacy.discrete_gaussian import bound_discretisation


def stream(name: str = "noise") -> RandomStream:
    return SeededRandomness(0).stream(name)


@given(array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
def test_shape_is_kept_and_the_input_is_not_changed(shape: tuple[int, ...]) -> None:
    counts = np.ones(shape, dtype=np.int64)
    noisy = gaussian_mechanism(counts, sensitivity=2, noise_multiplier=3, stream=stream())
    assert noisy.shape == shape
    assert noisy.dtype == np.float64
    assert (counts == 1).all()


def test_the_same_stream_gives_the_same_noise_and_another_does_not() -> None:
    counts = np.arange(5.0)
    first, again, other = (
        gaussian_mechanism(counts, sensitivity=1, noise_multiplier=1, stream=stream(name))
        for name in ("a", "a", "b")
    )
    assert (first == again).all()
    assert (first != other).all()


@pytest.mark.parametrize("noise_multiplier", [0.3, 1.0, 37.3])
def test_what_leaves_lies_on_the_grid(noise_multiplier: float) -> None:
    counts = np.arange(100) / GRID
    noisy = gaussian_mechanism(
        counts, sensitivity=3**0.5, noise_multiplier=noise_multiplier, stream=stream()
    )
    assert (noisy * GRID == np.rint(noisy * GRID)).all()


@given(st.integers(-(2**32) * GRID, 2**32 * GRID), st.integers(0, 99))
def test_a_count_only_shifts_the_noise(steps: int, seed: int) -> None:
    """No low bit of the result depends on the count in any other way."""

    def release(count: float) -> float:
        noise = SeededRandomness(seed).stream("noise")
        counts = np.array([count])
        return gaussian_mechanism(counts, sensitivity=1, noise_multiplier=1, stream=noise).item()

    assert release(steps / GRID) - steps / GRID == release(0.0)


@pytest.mark.parametrize("noise_multiplier", [1e-9, 0.9 * 2**-10])
def test_noise_too_fine_for_the_grid_is_refused(noise_multiplier: float) -> None:
    with pytest.raises(ValueError, match=r"at least 2\*\*10 steps of the grid"):
        gaussian_mechanism(
            np.zeros(2), sensitivity=1, noise_multiplier=noise_multiplier, stream=stream()
        )


@pytest.mark.parametrize("count", [np.nan, np.inf, -np.inf, 2.0**40, -(2.0**40)])
def test_counts_that_are_not_finite_or_huge_are_refused_without_being_shown(count: float) -> None:
    with pytest.raises(ValueError, match="counts must be finite") as caught:
        gaussian_mechanism(
            np.array([77.5, count]), sensitivity=1, noise_multiplier=1, stream=stream()
        )
    assert "77" not in str(caught.value)


@pytest.mark.parametrize("count", [1 / 3, 0.1, 2.0**-21, 77 + 2.0**-22])
def test_counts_beside_the_grid_are_refused_without_being_shown(count: float) -> None:
    with pytest.raises(ValueError, match="whole multiples of 1 / GRID") as caught:
        gaussian_mechanism(
            np.array([77.0, count]), sensitivity=1, noise_multiplier=1, stream=stream()
        )
    assert "77" not in str(caught.value) and "33" not in str(caught.value)


@pytest.mark.parametrize("name", ["sensitivity", "noise_multiplier"])
@pytest.mark.parametrize("value", [0, -1, np.nan, np.inf])
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    settings = {"sensitivity": 1.0, "noise_multiplier": 1.0} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be"):
        gaussian_mechanism(np.zeros(2), **settings, stream=stream())


def test_the_slack_is_as_small_as_the_docstring_says() -> None:
    assert bound_discretisation(GRID / 4, 10**6) < 4e-6
    assert bound_discretisation(GRID / 4, 100) < 1e-9
