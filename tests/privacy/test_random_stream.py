"""Numbers from bytes: their law, and that a seed always gives the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from privacy import RandomStream, SeededRandomness, SystemRandomness, poisson_batches

PINNED_BITS = [14632693889586364030, 1634409580590399506, 3829291536975573871]


def stream(name: str = "numbers") -> RandomStream:
    return SeededRandomness(4).stream(name)


def test_a_seed_and_a_path_give_the_same_stream_again_and_others_do_not() -> None:
    paths = [("a",), ("b",), ("a", "b"), ("a,b",), (1,), ("1",)]
    seen = {
        tuple(SeededRandomness(seed).stream(*path).bits(2).tolist())
        for seed in (0, 1, 2**64)
        for path in paths
    }
    assert len(seen) == 3 * len(paths)
    assert (stream().bits(9) == stream().bits(9)).all()


def test_a_stream_goes_on_and_never_repeats_its_words() -> None:
    parts, whole = stream(), stream().bits(1_000)
    assert np.concatenate([parts.bits(n) for n in (0, 1, 499, 500)]).tolist() == whole.tolist()
    assert len(set(whole.tolist())) == 1_000


def test_pinned_streams_do_not_change_between_versions() -> None:
    """A seed printed in a report must give the same data later."""
    assert SeededRandomness(0).stream("x").bits(3).tolist() == PINNED_BITS


def test_normal_numbers_are_those_of_box_and_muller_scaled_and_rounded_once() -> None:
    number, half = 20_001, 10_001  # more than a block
    words = stream("box").bits(2 * half)
    radii = np.sqrt(-2 * np.log((words[:half].astype(np.float64) + 0.5) * 2.0**-64))
    angles = words[half:].view(np.int64) * (math.pi * 2.0**-63)
    lines = np.concatenate([radii * np.cos(angles), radii * np.sin(angles)])
    drawn = stream("box").normal(number, std=0.7)
    np.testing.assert_allclose(drawn, 0.7 * lines[:number], rtol=1e-9, atol=1e-12)
    single = stream("box").normal(number, std=0.7, dtype=np.float32)
    assert single.dtype == np.float32
    assert (single == drawn.astype(np.float32)).all()


@pytest.mark.parametrize("path", [(), (1.5,), (None,)])
def test_a_path_without_names_is_refused(path: tuple[object, ...]) -> None:
    for randomness in (SeededRandomness(0), SystemRandomness()):
        with pytest.raises(ValueError, match="path must be"):
            randomness.stream(*path)  # type: ignore[arg-type]


def test_numbers_have_their_law_and_shape() -> None:
    uniform, normal = stream("u").uniform((200, 100)), stream("n").normal((200, 101))
    assert uniform.shape == (200, 100) and normal.shape == (200, 101)
    assert (0 <= uniform).all() and (uniform < 1).all()
    assert stats.kstest(uniform.reshape(-1), "uniform").pvalue > 1e-3
    assert stats.kstest(normal.reshape(-1), "norm").pvalue > 1e-3
    halves = normal.reshape(-1)[: len(normal.reshape(-1)) // 2 * 2].reshape(2, -1)
    assert abs(np.corrcoef(halves)[0, 1]) < 0.04  # cosines and sines of the same angles
    assert abs(np.corrcoef(halves**2)[0, 1]) < 0.04
    assert stream().normal(()).shape == () and stream().normal(0).shape == (0,)


@pytest.mark.parametrize("content", [0, 255])
def test_the_ends_of_the_bytes_are_finite_numbers_in_range(content: int) -> None:
    extreme = RandomStream(lambda: lambda number: bytes([content]) * number)
    assert np.isfinite(extreme.normal(2)).all() and (np.abs(extreme.normal(2)) < 9.5).all()
    assert 0 <= extreme.uniform(1)[0] < 1
    assert poisson_batches(3, sample_rate=1.0, steps=1, stream=extreme)
    (batch,) = poisson_batches(3, sample_rate=0.5, steps=1, stream=extreme)
    assert len(batch) == (3 if content == 0 else 0)


@pytest.mark.parametrize("below", [1, 2, 3, 10, 1000])
def test_whole_numbers_are_equally_likely(below: int) -> None:
    drawn = stream(str(below)).integers(np.full(50_000, below))
    assert drawn.dtype == np.int64
    seen = np.bincount(drawn, minlength=below)
    assert len(seen) == below
    assert below == 1 or stats.chisquare(seen).pvalue > 1e-3


def test_words_that_would_favour_small_numbers_are_drawn_again() -> None:
    """2**64 is 1 modulo 3, so exactly one word must be turned down."""
    words = iter([0, 1])
    bits = RandomStream(lambda: lambda number: next(words).to_bytes(number, "little"))
    assert bits.integers(3) == 1
    bound = 3 * 2**61  # two thirds of these would else come three times for two of the others
    drawn = stream().integers(np.full(20_000, bound))
    assert stats.kstest(drawn / bound, "uniform").pvalue > 1e-3


def test_bounds_may_differ_and_have_any_shape() -> None:
    below = np.array([[1, 2, 3], [4, 5, 2**63 - 1]])
    drawn = stream().integers(below)
    assert drawn.shape == (2, 3)
    assert (0 <= drawn).all() and (drawn < below).all()
    assert stream().integers(7).shape == ()
    assert stream().integers(np.empty(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize("below", [0, -3, 77.5, 2**63, [77, 0]])
def test_bounds_out_of_range_are_refused_without_being_shown(below: object) -> None:
    with pytest.raises(ValueError, match="below must hold") as caught:
        stream().integers(below)  # type: ignore[arg-type]
    assert "77" not in str(caught.value)
