"""Poisson batches: their form and edges. Their law is in test_sampling_mutants.py."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy import RandomStream, SeededRandomness, poisson_batches


def stream(name: str = "batches") -> RandomStream:
    return SeededRandomness(0).stream(name)


@settings(deadline=None)
@given(st.integers(0, 30), st.floats(0.01, 1), st.integers(1, 20))
def test_exactly_the_declared_steps_with_distinct_known_rows(
    n_units: int, sample_rate: float, steps: int
) -> None:
    batches = list(poisson_batches(n_units, sample_rate=sample_rate, steps=steps, stream=stream()))
    assert len(batches) == steps
    for batch in batches:
        assert batch.dtype == torch.int64
        assert batch.ndim == 1
        assert len(set(batch.tolist())) == len(batch)
        assert all(0 <= index < n_units for index in batch.tolist())


def test_an_empty_table_still_makes_every_step() -> None:
    batches = list(poisson_batches(0, sample_rate=0.5, steps=7, stream=stream()))
    assert [len(batch) for batch in batches] == [0] * 7


def test_empty_batches_are_yielded() -> None:
    batches = list(poisson_batches(3, sample_rate=0.01, steps=200, stream=stream()))
    assert len(batches) == 200
    assert sum(len(batch) == 0 for batch in batches) > 150


def test_rate_one_is_the_whole_table_each_time() -> None:
    for batch in poisson_batches(4, sample_rate=1, steps=3, stream=stream()):
        assert batch.tolist() == [0, 1, 2, 3]


def test_batches_can_index_a_table() -> None:
    table = torch.arange(10).reshape(5, 2)
    for batch in poisson_batches(5, sample_rate=0.2, steps=20, stream=stream()):
        assert table[batch].shape == (len(batch), 2)


def test_one_stream_gives_the_same_batches_and_another_does_not() -> None:
    def draw(name: str) -> list[list[int]]:
        found = poisson_batches(50, sample_rate=0.3, steps=5, stream=stream(name))
        return [batch.tolist() for batch in found]

    assert draw("a") == draw("a") != draw("b")


@pytest.mark.parametrize(
    ("argument", "value"),
    [("n_units", -1), ("sample_rate", 0), ("sample_rate", 1.01), ("steps", 0), ("steps", 1.5)],
)
def test_arguments_out_of_range_are_refused_at_once(argument: str, value: float) -> None:
    arguments = {"n_units": 5, "sample_rate": 0.5, "steps": 2} | {argument: value}
    with pytest.raises(ValueError, match=f"{argument} must be"):
        poisson_batches(**arguments, stream=stream())  # type: ignore[arg-type]
