"""Random streams: one per path, repeatable only when seeded, and with a full-sized state."""

import numpy as np
import pytest
import torch
from scipy import stats

from privacy import Randomness, SeededRandomness, SystemRandomness

PATHS = [("a",), ("b",), ("a", "b"), ("a,b",), ("ab",), (1,), ("1",), ("a", 1), ("a", "1"), (-1,)]


PINNED_NUMPY = [240, 460, 665]
PINNED_TORCH = [454, 844, 269]


def draws(randomness: Randomness, *path: str | int) -> list[tuple[float, ...]]:
    numbers = randomness.numpy(*path).random(4)
    tensor = torch.rand(4, generator=randomness.torch(*path), dtype=torch.float64)
    return [tuple(numbers.tolist()), tuple(tensor.tolist())]


def test_a_seed_and_a_path_give_the_same_stream_again() -> None:
    assert draws(SeededRandomness(7), "site", 3) == draws(SeededRandomness(7), "site", 3)


def test_streams_of_all_paths_seeds_and_libraries_differ() -> None:
    seen = [
        stream
        for seed in (0, 1, -1, 2**32, 2**64, 2**64 + 1)
        for path in PATHS
        for stream in draws(SeededRandomness(seed), *path)
    ]
    assert len(set(seen)) == len(seen)


def test_pinned_streams_do_not_change_between_versions() -> None:
    """A seed printed in a report must give the same data later."""
    randomness = SeededRandomness(0)
    assert randomness.numpy("x").integers(0, 1000, 3).tolist() == PINNED_NUMPY
    found = torch.randint(0, 1000, (3,), generator=randomness.torch("x")).tolist()
    assert found == PINNED_TORCH


def test_system_streams_never_repeat() -> None:
    assert draws(SystemRandomness(), "a") != draws(SystemRandomness(), "a")


def test_only_seeded_streams_say_so() -> None:
    assert SeededRandomness(1).is_seeded
    assert not SystemRandomness().is_seeded


@pytest.mark.parametrize("randomness", [SeededRandomness(5), SystemRandomness()])
def test_torch_states_are_filled_beyond_what_a_32_bit_seed_reaches(randomness: Randomness) -> None:
    """A state made by manual_seed follows a recurrence from its first word; ours must not."""
    words = randomness.torch("a").get_state()[24 : 24 + 624 * 8].numpy().view(np.uint64)
    assert (words < 2**32).all()
    first = words[:-1] ^ (words[:-1] >> np.uint64(30))
    predicted = (np.uint64(1812433253) * first + np.arange(1, 624, dtype=np.uint64)) & np.uint64(
        2**32 - 1
    )
    assert (predicted != words[1:]).mean() > 0.99

    seeded = torch.Generator().manual_seed(5).get_state()[24 : 24 + 624 * 8]
    words = seeded.numpy().view(np.uint64)
    first = words[:-1] ^ (words[:-1] >> np.uint64(30))
    predicted = (np.uint64(1812433253) * first + np.arange(1, 624, dtype=np.uint64)) & np.uint64(
        2**32 - 1
    )
    assert (predicted == words[1:]).all(), "PyTorch's state has moved: check _STATE_OFFSET"


@pytest.mark.parametrize("path", [(), (1.5,), (None,)])
def test_a_path_without_names_is_refused(path: tuple[object, ...]) -> None:
    for randomness in (SeededRandomness(0), SystemRandomness()):
        with pytest.raises(ValueError, match="path must be"):
            randomness.numpy(*path)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="path must be"):
            randomness.torch(*path)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1.5, "1", None, True])
def test_a_seed_must_be_a_whole_number(seed: object) -> None:
    with pytest.raises(ValueError, match="seed must be a whole number"):
        SeededRandomness(seed)  # type: ignore[arg-type]


def test_torch_streams_are_uniform_normal_and_unrelated() -> None:
    randomness = SeededRandomness(11)
    one = torch.rand(20_000, generator=randomness.torch("one"), dtype=torch.float64).numpy()
    two = torch.rand(20_000, generator=randomness.torch("two"), dtype=torch.float64).numpy()
    normal = torch.randn(20_000, generator=randomness.torch("n"), dtype=torch.float64).numpy()
    assert stats.kstest(one, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03
