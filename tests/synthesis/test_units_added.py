"""Units that are added are units of their own and leave those before them as they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.units import Units

NEW = np.array([[7, 7], [8, 8]], np.int16)


@given(ids=st.lists(st.text(max_size=3), max_size=12))
def test_a_person_that_is_added_is_none_of_the_old_whatever_their_ids(ids: list[str]) -> None:
    codes = np.arange(2 * len(ids)).reshape(-1, 2).astype(np.int16)
    before = Units.from_persons(codes, ids)
    after = before.add(NEW, 3)
    assert after.ids is not None and before.ids is not None
    assert after.n_units == before.n_units + 2
    assert after.ids[: before.n_units] == before.ids
    assert list(after.ids) == sorted(after.ids)
    np.testing.assert_array_equal(after.weights()[: len(ids)], before.weights())
    for number, row in enumerate(NEW):
        own = after.codes[after.unit == before.n_units + number]
        np.testing.assert_array_equal(own, [row] * 3)
    assert after.weights()[len(ids) :].sum() == pytest.approx(2, abs=1e-5)


def test_a_record_that_is_added_is_one_row() -> None:
    after = Units.from_records(np.zeros((3, 2), np.int16)).add(NEW, 3)
    assert after.ids is None and after.n_units == 5
    np.testing.assert_array_equal(after.codes[3:], NEW)
