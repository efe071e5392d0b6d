"""Numbers from bytes: their law, and that the bytes alone decide everything private."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
import torch
from private_steps import draw_fakes, make_discriminator, make_step
from scipy import stats

from privacy import (
    Randomness,
    RandomStream,
    SeededRandomness,
    SystemRandomness,
    gaussian_mechanism,
    poisson_batches,
)
from privacy.random_stream import keystream

PINNED_BITS = [14632693889586364030, 1634409580590399506, 3829291536975573871]
UNITS, COUNTS = 300, 1_000


def stream(name: str = "numbers") -> RandomStream:
    return SeededRandomness(4).stream(name)


def noise_of_a_sketch(randomness: Randomness) -> list[float]:
    bits = randomness.stream("sketch")
    noisy = gaussian_mechanism(np.zeros(COUNTS), sensitivity=1, noise_multiplier=1, stream=bits)
    return noisy.tolist()


def coins_of_a_round(randomness: Randomness) -> list[list[int]]:
    batches = poisson_batches(UNITS, sample_rate=0.3, steps=5, stream=randomness.stream("poisson"))
    return [batch.tolist() for batch in batches]


def noise_of_a_step(randomness: Randomness) -> list[float]:
    discriminator = make_discriminator()
    step = make_step(discriminator, noise=1.0, stream=randomness.stream("noise"))
    step.step(draw_fakes(3, seed=5), draw_fakes())
    return torch.cat([p.detach().flatten() for p in discriminator.parameters()]).tolist()


WEIGHTS = sum(p.numel() for p in make_discriminator().parameters())
# Each private use of randomness, and how many words of 64 bits it cannot do without.
USES: list[tuple[Callable[[Randomness], list], int]] = [
    (noise_of_a_sketch, 5 * COUNTS),  # place, coin, block, sign and acceptance of every draw
    (coins_of_a_round, 5 * UNITS),
    (noise_of_a_step, WEIGHTS),
]


@pytest.mark.parametrize(("use", "words"), USES)
def test_deployed_noise_and_coins_take_all_their_bits_from_the_operating_system(
    use: Callable[[Randomness], list], words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    urandom = os.urandom

    def watched(number: int) -> bytes:
        taken.append(number)
        return urandom(number)

    monkeypatch.setattr(os, "urandom", watched)
    use(SystemRandomness())
    assert sum(taken) >= 8 * words


@pytest.mark.parametrize(("use", "_words"), USES)
def test_nothing_but_the_operating_system_decides_deployed_noise_and_coins(
    use: Callable[[Randomness], list], _words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert use(SystemRandomness()) != use(SystemRandomness())
    found = []
    for seed in (1, 2):  # the same bytes under other seeds: the same numbers
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        monkeypatch.setattr(os, "urandom", keystream(bytes(32)))
        found.append(use(SystemRandomness()))
        monkeypatch.undo()
    assert found[0] == found[1]


@pytest.mark.parametrize("randomness", [SystemRandomness(), SeededRandomness(0)])
def test_private_randomness_works_without_the_generators_of_numpy_and_torch(
    randomness: Randomness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AssertionError("a generator that is not cryptographic was used")

    discriminator, real, fake = make_discriminator(), draw_fakes(3), draw_fakes()
    for name in ("normal", "randn", "rand", "randint", "randperm", "bernoulli", "Generator"):
        monkeypatch.setattr(torch, name, broken)
    for name in ("normal_", "uniform_", "bernoulli_", "random_"):
        monkeypatch.setattr(torch.Tensor, name, broken)
    for name in ("Generator", "default_rng", "SeedSequence", "normal", "random"):
        monkeypatch.setattr(np.random, name, broken)
    noise_of_a_sketch(randomness)
    coins_of_a_round(randomness)
    make_step(discriminator, noise=1.0, stream=randomness.stream("noise")).step(real, fake)


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
    extreme = RandomStream(lambda number: bytes([content]) * number)
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
    bits = RandomStream(lambda number: next(words).to_bytes(number, "little"))
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
