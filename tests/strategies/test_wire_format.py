"""Weights come back as they went, up to the rounding that their format has."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from strategies.arrays import ArraySpec, read_array
from strategies.collect import arrays_of
from strategies.validation import specs_of
from strategies.wire_field import BLOCK, WireFormat
from strategies.wire_format import format_of, pack, pack_answer, unpack, unpack_answer

Values = NDArray[np.float32]


def shuttle(weights: dict[str, Values], wire_format: WireFormat) -> dict[str, Values]:
    """Return what the other side reads."""
    packed = pack(weights, wire_format)
    assert format_of(packed) is wire_format
    read = {name: read_array(packed[name], spec) for name, spec in specs_of(packed).items()}
    return unpack(read)  # type: ignore[arg-type]


@given(
    shape=st.lists(st.integers(0, 7), min_size=1, max_size=3),
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 100),
    wire_format=st.sampled_from(list(WireFormat)),
)
@settings(deadline=None, max_examples=60)
def test_weights_come_back_within_the_rounding_of_their_format(
    shape: list[int], scale: float, seed: int, wire_format: WireFormat
) -> None:
    values = (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)
    back = shuttle({"a.weight": values, "b": np.float32([1.0])}, wire_format)
    assert list(back) == ["a.weight", "b"]
    assert back["a.weight"].dtype == np.float32
    assert back["a.weight"].shape == values.shape
    largest = float(np.abs(values).max(initial=0))
    error = {"float32": 0.0, "float16": 2**-11 * largest, "int8": largest / 250}[wire_format]
    assert np.all(np.abs(back["a.weight"] - values) <= error + 1e-7)


@given(change=st.floats(1e-4, 1e-1), seed=st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_an_answer_in_8_bits_is_rounded_to_what_training_changed(change: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    received = {"w": rng.normal(size=(20, 30)).astype(np.float32)}
    moved = (change * rng.normal(size=(20, 30))).astype(np.float32)
    weights = {"w": received["w"] + moved}
    answer = unpack(arrays_of(pack_answer(weights, received, WireFormat.INT8)))
    found = unpack_answer(answer, received, WireFormat.INT8)["w"]
    assert found.dtype == np.float32
    error = np.abs(moved).max() / 250 + 1e-6
    np.testing.assert_allclose(found, weights["w"], rtol=0, atol=error)


@pytest.mark.parametrize("wire_format", [WireFormat.FLOAT32, WireFormat.FLOAT16])
def test_an_answer_in_other_formats_is_the_generator_itself(wire_format: WireFormat) -> None:
    weights, other = {"w": np.float32([1.5, -2.0])}, {"w": np.float32([7.0, 7.0])}
    answer = unpack(arrays_of(pack_answer(weights, other, wire_format)))
    found = unpack_answer(answer, other, wire_format)
    np.testing.assert_array_equal(found["w"], weights["w"])


def test_a_large_weight_costs_precision_in_its_own_block_only() -> None:
    values = np.full(3 * BLOCK, 0.01, dtype=np.float32)
    values[0] = 100.0
    back = shuttle({"w": values}, WireFormat.INT8)["w"]
    assert back[0] == pytest.approx(100, rel=1e-3)
    assert np.all(back[1:BLOCK] == 0)
    np.testing.assert_allclose(back[BLOCK:], 0.01, rtol=1e-2)


@pytest.mark.parametrize(
    ("wire_format", "most"), [("float32", 4.0), ("float16", 2.0), ("int8", 1.13)]
)
def test_formats_take_as_many_bytes_as_they_say(wire_format: str, most: float) -> None:
    chosen = WireFormat(wire_format)
    packed = pack({"w": np.ones(100_000, np.float32)}, chosen)
    size = sum(len(array.data) for array in packed.values())
    assert size <= 1.01 * most * 100_000
    assert size == pytest.approx(chosen.bytes_per_weight * 100_000, rel=0.01)


def test_what_is_too_large_for_a_format_is_found_by_who_reads_it() -> None:
    for wire_format in (WireFormat.FLOAT16, WireFormat.INT8):
        packed = pack({"w": np.full(3, 1e9, np.float32)}, wire_format)
        problems = [read_array(packed[n], spec) for n, spec in specs_of(packed).items()]
        assert any(isinstance(p, str) and p == "not-finite" for p in problems)


@pytest.mark.parametrize("scales", [None, np.ones(2, np.float16), np.ones((1, 1), np.float16)])
def test_eight_bits_without_fitting_scales_are_refused(scales: NDArray[np.float16] | None) -> None:
    arrays: dict[str, NDArray[np.generic]] = {"w": np.ones(3, np.int8)}
    if scales is not None:
        arrays["w:scale"] = scales
    with pytest.raises(ValueError, match="one scale for every 16"):
        unpack(arrays)


def test_an_array_that_says_another_type_than_it_has_is_not_read() -> None:
    (half,) = pack({"w": np.ones(3, np.float32)}, WireFormat.FLOAT16).values()
    assert read_array(half, ArraySpec(shape=(3,), dtypes=("int8",))) == "wrong-dtype"
    lying = Array(dtype="int8", shape=(3,), stype=half.stype, data=half.data)
    assert read_array(lying, ArraySpec(shape=(3,), dtypes=("int8",))) == "wrong-dtype"
    assert arrays_of({"w": half})["w"].dtype == np.float16
