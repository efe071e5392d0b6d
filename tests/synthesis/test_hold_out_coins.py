"""The hold-out as it was always drawn: one coin for each record, tossed one at a time."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import draw_codes

from synthesis.units import Units


@settings(deadline=None)
@given(rows=st.integers(0, 40), wide=st.integers(1, 30), most=st.sampled_from([0, 1, 3, 32_767]))
def test_records_fall_by_their_number_among_equal_ones(rows: int, wide: int, most: int) -> None:
    """The coin of each record, one at a time: keyed bytes of its number and its codes."""
    rng, seen, held = np.random.default_rng(rows), Counter[bytes](), []
    codes = rng.integers(-1 if most > 3 else 0, most, (rows, wide), endpoint=True).astype(np.int16)
    for row in codes:
        content = row.astype("<i2").tobytes()
        coin = blake2b(
            seen[content].to_bytes(8) + content,
            digest_size=8,
            key=b"k" * 32,
            person=b"fedsynth-record",
        )
        held.append(int.from_bytes(coin.digest()) < 0.5 * 2**64)
        seen[content] += 1
    chosen = np.array(held, dtype=bool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthesis.units._ROWS_HASHED", 7)
        training, held_out = Units.from_records(codes).split(b"k" * 32, 0.5)
    np.testing.assert_array_equal(training.codes, codes[~chosen])
    np.testing.assert_array_equal(held_out.codes, codes[chosen])


def test_without_a_hold_out_nothing_is_held_out() -> None:
    for units in (
        Units.from_records(draw_codes(5)),
        Units.from_persons(draw_codes(5), ["a", "b", "a", "c", "b"]),
    ):
        training, held_out = units.split(b"k" * 32, 0.0)
        assert training is units
        assert (held_out.n_units, held_out.codes.shape) == (0, (0, units.codes.shape[1]))
        assert held_out.ids == (None if units.ids is None else ())
