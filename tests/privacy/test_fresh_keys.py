"""Every private draw of a deployed site has keys of its own, and nothing else decides it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from private_steps import draw_fakes, make_discriminator, make_step

from privacy import (
    Randomness,
    RandomStream,
    SeededRandomness,
    SystemRandomness,
    gaussian_mechanism,
    poisson_batches,
    random_stream,
)
from privacy.random_stream import keystream

# RFC 8439, appendix A.1.
VECTOR_OF_KEY_ZERO = (
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
    "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
    "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
)
VECTOR_OF_KEY_ONE = (
    "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
    "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"
)
VECTOR_OF_KEY_FF = (
    "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
    "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"
)
UNITS, COUNTS = 300, 1_000


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
# Each private use of randomness, how many keys it takes at least and at most, and how many words of
# 64 bits it cannot do without.
USES: list[tuple[Callable[[Randomness], list], int, float, int]] = [
    # Place, coin, block, sign and acceptance of every draw; some are turned down and drawn again.
    (noise_of_a_sketch, 5, math.inf, 5 * COUNTS),
    (coins_of_a_round, 5, 5, 5 * UNITS),  # a key for each step of the round
    (noise_of_a_step, 1, 1, WEIGHTS),
]


@dataclass
class Watched:
    """What deployed streams took.

    Attributes:
        lengths: of every read from the operating system.
        given: the bytes it gave.
        keys: of every keystream that was begun.
        bytes: read from each of them.
    """

    lengths: list[int] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen, urandom = Watched(), os.urandom

    def watched_urandom(number: int) -> bytes:
        seen.lengths.append(number)
        seen.given.append(urandom(number))
        return seen.given[-1]

    def watched_keystream(key: bytes) -> Callable[[int], bytes]:
        read, place = keystream(key), len(seen.keys)
        seen.keys.append(key)
        seen.bytes.append(0)

        def watched_read(number: int) -> bytes:
            seen.bytes[place] += number
            return read(number)

        return watched_read

    monkeypatch.setattr(os, "urandom", watched_urandom)
    monkeypatch.setattr(random_stream, "keystream", watched_keystream)
    return seen


@pytest.mark.parametrize(("use", "least", "most", "words"), USES)
def test_deployed_noise_and_coins_take_fresh_keys_from_the_operating_system_and_all_bits_from_them(
    use: Callable[[Randomness], list], least: int, most: float, words: int, watched: Watched
) -> None:
    use(SystemRandomness())
    first = len(watched.keys)
    use(SystemRandomness())
    assert least <= first <= most and first < len(watched.keys)
    assert set(watched.lengths) == {32}
    assert watched.keys == watched.given  # each one used, in turn, and nothing else
    assert len(set(watched.keys)) == len(watched.keys)
    assert sum(watched.bytes[:first]) >= 8 * words


@pytest.mark.parametrize(
    ("draw", "size"),
    [
        (lambda bits: bits.bits(3), 24),
        (lambda bits: bits.uniform((2, 5)), 80),
        (lambda bits: bits.integers(np.full(4, 2**62)), 32),  # divides 2**64: none is drawn again
        (lambda bits: bits.normal((7, 9)), 512),
        (lambda bits: bits.normal(100_000), 800_000),
    ],
)
def test_every_call_of_a_deployed_stream_has_one_key_of_its_own(
    draw: Callable[[RandomStream], object], size: int, watched: Watched
) -> None:
    deployed = SystemRandomness().stream("any")
    assert not watched.lengths
    for calls in (1, 2, 3):
        draw(deployed)
        assert watched.keys == watched.given and len(set(watched.keys)) == calls
        assert watched.lengths == [32] * calls and watched.bytes == [size] * calls


@pytest.mark.parametrize(
    ("key", "skipped", "known"),
    [
        (bytes(32), 0, VECTOR_OF_KEY_ZERO),
        (bytes(31) + b"\x01", 64, VECTOR_OF_KEY_ONE),
        (b"\x00\xff" + bytes(30), 128, VECTOR_OF_KEY_FF),
    ],
)
def test_the_bytes_of_a_key_are_those_that_rfc_8439_publishes(
    key: bytes, skipped: int, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appendix A.1, vectors 1 to 4; the stream is read as little-endian words."""
    read = keystream(key)
    read(skipped)
    assert read(len(known) // 2).hex() == known
    monkeypatch.setattr(os, "urandom", lambda _: key)
    words = SystemRandomness().stream("any").bits((skipped + len(known) // 2) // 8)
    assert words.astype("<u8").tobytes()[skipped:].hex() == known


@pytest.mark.parametrize("use", [use for use, *_ in USES])
def test_nothing_but_the_operating_system_decides_deployed_noise_and_coins(
    use: Callable[[Randomness], list], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert use(SystemRandomness()) != use(SystemRandomness())
    found = []
    for seed in (1, 2):  # the same keys under other seeds: the same numbers
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
