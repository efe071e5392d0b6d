"""Units: one of them, with however many rows, moves nothing by more than a record would."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_persons import PERSONS, make_table
from tiny_world import SCHEMA, draw_codes, make_layout

from synthesis import InputError
from synthesis.encoding import read_units
from synthesis.layout import compute_sketch
from synthesis.units import KEY_BYTES, WEIGHT_GRID, Units

LAYOUT = make_layout()
SEEDS = st.integers(0, 2**31)
KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
SHARES = st.sampled_from([0.0, 0.01, 0.2, 0.5])


@st.composite
def rows_of_persons(draw, most_rows: int = 40, most_persons: int = 8):
    """Codes and ids of rows in any order, many of them equal."""
    rng = np.random.default_rng(draw(SEEDS))
    rows = draw(st.integers(0, most_rows))
    codes = draw_codes(max(rows, 1), draw(st.integers(0, 3)))[rng.integers(0, max(rows, 1), rows)]
    ids = [f"p{number}" for number in rng.integers(0, draw(st.integers(1, most_persons)), rows)]
    return codes, ids


def sketch_of(units: Units) -> np.ndarray:
    return compute_sketch(LAYOUT, units.codes, units.weights())


def squared_move(before: np.ndarray, after: np.ndarray) -> int:
    """Squared L2 distance in units of the grid, exactly, as whole numbers have no rounding."""
    steps = (after - before) * WEIGHT_GRID
    assert (steps == np.rint(steps)).all()
    return sum(int(step) ** 2 for step in steps)


LARGEST = sum(block.scale**2 for block in LAYOUT.blocks) * WEIGHT_GRID**2


@st.composite
def adversaries(draw):
    """1 to 50 rows of one person: all alike, or spread over the whole range of codes."""
    rows, rng = draw(st.integers(1, 50)), np.random.default_rng(draw(SEEDS))
    codes = rng.integers(0, SCHEMA.sizes, (rows, len(SCHEMA.sizes))).astype(np.int16)
    return np.repeat(codes[:1], rows, axis=0) if draw(st.booleans()) else codes


@settings(max_examples=80, deadline=None)
@given(rows=rows_of_persons(), more=adversaries(), seed=SEEDS)
def test_one_person_more_moves_the_sketch_by_at_most_its_sensitivity(rows, more, seed) -> None:
    codes, ids = rows
    order = np.random.default_rng(seed).permutation(len(codes) + len(more))
    all_ids = [*ids, *["new"] * len(more)]
    before = sketch_of(Units.from_persons(codes, ids))
    after = sketch_of(
        Units.from_persons(np.vstack([codes, more])[order], [all_ids[i] for i in order])
    )
    assert squared_move(before, after) <= LARGEST
    if len(more) == 1:
        assert squared_move(before, after) == LARGEST


@settings(max_examples=50, deadline=None)
@given(rows=rows_of_persons(), more=adversaries())
def test_one_record_more_moves_the_sketch_by_its_sensitivity(rows, more) -> None:
    before = Units.from_records(rows[0])
    after = Units.from_records(np.vstack([more[:1], rows[0]]))
    assert squared_move(sketch_of(before), sketch_of(after)) == LARGEST


def test_rows_that_are_not_weighed_would_move_it_by_more() -> None:
    """The control: the check above can fail."""
    codes = draw_codes(2)[[0, 0]]
    assert squared_move(np.zeros(LAYOUT.dimension), compute_sketch(LAYOUT, codes)) > LARGEST


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_persons())
def test_weights_of_a_unit_add_up_to_one_or_just_below(rows) -> None:
    units = Units.from_persons(*rows)
    totals = np.bincount(units.unit, units.weights())
    assert (totals <= 1).all() and (totals > 1 - len(rows[0]) / WEIGHT_GRID).all()
    assert (Units.from_records(rows[0]).weights() == 1).all()


def test_a_person_with_more_rows_than_the_grid_has_steps_weighs_nothing() -> None:
    rows = WEIGHT_GRID + 1
    units = Units(codes=np.zeros((rows, 1), np.int16), unit=np.zeros(rows, np.int64), ids=("p",))
    assert units.weights().sum() == 0


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_persons(), seed=SEEDS)
def test_a_drawn_row_is_one_of_the_units_own(rows, seed) -> None:
    units, rng = Units.from_persons(*rows), np.random.default_rng(seed)
    chosen = np.flatnonzero(rng.random(units.n_units) < 0.5)
    for draws in (rng.random(len(chosen)), np.full(len(chosen), np.nextafter(1, 0))):
        places = units.choose_rows(chosen, draws)
        np.testing.assert_array_equal(units.unit[places], chosen)


def test_every_row_of_a_person_is_drawn_equally_often() -> None:
    units = Units.from_persons(draw_codes(6), ["a", "b", "a", "a", "b", "c"])
    draws = np.random.default_rng(0).random(30_000)
    places = units.choose_rows(np.zeros(30_000, dtype=np.int64), draws)
    counts = Counter(places.tolist())
    assert set(counts) == {0, 2, 3}
    assert all(abs(count - 10_000) < 500 for count in counts.values())


def test_a_record_is_its_own_only_row() -> None:
    units = Units.from_records(draw_codes(9))
    chosen = np.array([1, 4, 8])
    np.testing.assert_array_equal(units.choose_rows(chosen, np.array([0.0, 0.5, 0.99])), chosen)


@pytest.mark.parametrize("draws", [[0.5], [0.5, 1.0], [-0.1, 0.5], [0.5, float("nan")]])
def test_wrong_draws_are_refused(draws) -> None:
    with pytest.raises(ValueError, match="draws must be"):
        Units.from_records(draw_codes(3)).choose_rows(np.array([0, 1]), np.array(draws))


def sides(units: Units, key: bytes, share: float) -> tuple[Counter[bytes], Counter[bytes]]:
    """The multisets of rows (with their persons) in training and hold-out."""
    return tuple(
        Counter(
            row.tobytes() + (part.ids[unit].encode() if part.ids else b"")
            for row, unit in zip(part.codes, part.unit, strict=True)
        )
        for part in units.split(key, share)
    )


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_persons(), key=KEYS, share=SHARES, is_person=st.booleans(), seed=SEEDS)
def test_a_split_loses_nothing_and_does_not_depend_on_row_order(
    rows, key, share, is_person, seed
) -> None:
    codes, ids = rows
    order = np.random.default_rng(seed).permutation(len(codes))
    units, shuffled = (
        Units.from_persons(codes[o], [ids[i] for i in o])
        if is_person
        else Units.from_records(codes[o])
        for o in (np.arange(len(codes)), order)
    )
    found = sides(units, key, share)
    assert found == sides(shuffled, key, share) == sides(units, key, share)
    whole = sides(units, key, 0.0)
    assert found[0] + found[1] == whole[0] and not whole[1]


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_persons(), more=adversaries(), key=KEYS, share=SHARES)
def test_one_person_more_moves_no_other_and_is_whole_on_one_side(rows, more, key, share) -> None:
    codes, ids = rows
    before = sides(Units.from_persons(codes, ids), key, share)
    units = Units.from_persons(np.vstack([more, codes]), [*["new"] * len(more), *ids])
    after = sides(units, key, share)
    added = [sum((b - a).values()) for a, b in zip(before, after, strict=True)]
    assert sorted(added) == [0, len(more)]
    assert all(not a - b for a, b in zip(before, after, strict=True))
    training, held_out = units.split(key, share)
    assert not set(training.ids or ()) & set(held_out.ids or ())


@settings(max_examples=40, deadline=None)
@given(rows=rows_of_persons(), key=KEYS, share=SHARES, seed=SEEDS)
def test_one_record_more_moves_no_other_even_a_copy_of_one(rows, key, share, seed) -> None:
    codes, rng = rows[0], np.random.default_rng(seed)
    new = codes[rng.integers(len(codes))] if len(codes) else draw_codes(1)[0]
    place = int(rng.integers(len(codes) + 1))
    before = sides(Units.from_records(codes), key, share)
    after = sides(Units.from_records(np.insert(codes, place, new, axis=0)), key, share)
    assert sorted(sum((b - a).values()) for a, b in zip(before, after, strict=True)) == [0, 1]
    assert all(not a - b for a, b in zip(before, after, strict=True))


def test_copies_of_a_record_fall_on_both_sides() -> None:
    training, held_out = Units.from_records(draw_codes(1).repeat(2000, axis=0)).split(
        b"k" * 32, 0.5
    )
    assert abs(training.n_units - held_out.n_units) < 5 * 2000**0.5


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("is_person", [True, False])
def test_the_share_is_kept_and_keys_divide_apart(share: float, is_person: bool) -> None:
    number, codes = 8000, draw_codes(8000)
    ids = [str(i) for i in range(number)]
    units = Units.from_persons(codes, ids) if is_person else Units.from_records(codes)
    first, second = (units.split(bytes([k]) * 32, share)[1] for k in (1, 2))
    spread = 5 * (number * share * (1 - share)) ** 0.5
    for held_out in (first, second):
        assert abs(held_out.n_units - number * share) < spread
    if is_person:
        both = len(set(first.ids or ()) & set(second.ids or ()))
        assert abs(both - number * share**2) < 5 * (number * share**2) ** 0.5


def test_where_a_unit_falls_is_pinned() -> None:
    """A new version must not move units: those that changed sides would pay twice."""
    key, codes = bytes(range(32)), np.arange(16, dtype=np.int16)[:, None]
    persons = Units.from_persons(codes, [str(i) for i in range(16)]).split(key, 0.5)[1]
    assert persons.codes[:, 0].tolist() == [0, 1, 2, 3, 5, 8, 9, 10, 12, 13, 15]
    assert Units.from_records(codes).split(key, 0.5)[1].codes[:, 0].tolist() == [
        8,
        10,
        11,
        13,
        14,
        15,
    ]


@pytest.mark.parametrize(("key", "share"), [(b"", 0.2), (b"k" * 31, 0.2), (b"k" * 32, 1.0)])
@pytest.mark.parametrize("wrong", [-0.1, float("nan")])
def test_a_wrong_key_or_share_is_refused(key: bytes, share: float, wrong: float) -> None:
    units = Units.from_records(draw_codes(3))
    for bad_key, bad_share in ((key, share), (b"k" * 32, wrong)):
        with pytest.raises(ValueError, match="must"):
            units.split(bad_key, bad_share)


@pytest.mark.parametrize("number", [0, 1])
def test_no_unit_or_one_is_a_site_like_any_other(number: int) -> None:
    for units in (
        Units.from_records(draw_codes(5)[:number]),
        Units.from_persons(draw_codes(5)[: 3 * number], ["p"] * 3 * number),
    ):
        assert units.n_units == number
        training, held_out = units.split(b"k" * 32, 0.5)
        assert training.n_units + held_out.n_units == number
        assert sketch_of(held_out).shape == (LAYOUT.dimension,)
        nobody = np.empty(0, dtype=np.int64)
        assert len(units.choose_rows(nobody, np.empty(0))) == 0


@pytest.mark.parametrize(
    ("unit", "ids"),
    [
        ([0, 2], None),
        ([1, 0], None),
        ([0, 0], None),
        ([-1, 0], None),
        ([0, 1, 2], None),
        ([0, 1], ("a",)),
        ([0, 1], ("a", "a")),
        ([0, 2], ("a", "b", "c")),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(unit, ids) -> None:
    with pytest.raises(ValueError, match="must"):
        Units(codes=np.zeros((2, 1), np.int16), unit=np.array(unit), ids=ids)


def test_units_never_show_what_they_hold() -> None:
    assert repr(Units.from_persons(draw_codes(2), ["secret", "secret"])) == "Units()"


def test_persons_are_told_apart_by_the_text_as_it_stands() -> None:
    ids = ["7", "07", "7 ", "a", "A", "a"]
    units = read_units(PERSONS, make_table(draw_codes(6), ids))
    assert set(units.ids or ()) == set(ids) and units.n_units == 5


@pytest.mark.parametrize("blank", [None, "", "  ", float("nan")])
def test_rows_without_a_person_or_that_break_the_schema_do_not_take_part(blank) -> None:
    table = make_table(draw_codes(6), ["a", "b", "a", blank, "c", "a"])
    table["age"] = table["age"].astype(object)
    table.loc[[0, 4], "age"] = 999
    units = read_units(PERSONS, table)
    assert units.ids == ("a", "b")  # c has no row left, as if c were not there
    assert np.bincount(units.unit, units.weights()).tolist() == [1.0, 1.0]


def test_a_table_without_the_person_column_is_refused() -> None:
    with pytest.raises(InputError, match="'patient' is declared in the schema"):
        read_units(PERSONS, pd.DataFrame(make_table(draw_codes(2), ["a", "b"]))[list(SCHEMA.names)])
