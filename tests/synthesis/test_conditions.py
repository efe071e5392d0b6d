import operator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import continuous_columns, datetime_columns, every_code, integer_columns

from synthesis import InputError, decode
from synthesis.conditions import parse_condition, restrict
from synthesis.schema import Boolean, Categorical, Integer, Ordinal, Schema

COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SCHEMA = Schema(
    name="s",
    label="income",
    columns=(
        Integer(name="age", minimum=17, maximum=90),
        Integer(name="gain", minimum=0, maximum=99999, bins=31, transform="log", point_masses=(0,)),
        Ordinal(name="school", categories=("none", "some", "all"), missing=True),
        Boolean(name="smoker", true="yes", false="no"),
        Categorical(name="income", categories=("<=50K", ">50K")),
    ),
)


def allowed(*texts: str) -> dict[int, list[int]]:
    left = restrict(SCHEMA, [parse_condition(text) for text in texts])
    for each in left.values():
        assert each.cuts is None and set(each.shares) <= {0, 1}
    return {index: np.flatnonzero(each.shares).tolist() for index, each in left.items()}


@pytest.mark.parametrize(
    ("text", "column", "sign", "value"),
    [
        ("income=>50K", "income", "=", ">50K"),
        ("income=<=50K", "income", "=", "<=50K"),
        ("income!=>50K", "income", "!=", ">50K"),
        ("age>=65", "age", ">=", "65"),
        (" age < 65 ", "age", "<", "65"),
        ("a b<=-1.5", "a b", "<=", "-1.5"),
        ("school=", "school", "=", ""),
        ("x=a=b", "x", "=", "a=b"),
    ],
)
def test_conditions_are_read_at_their_first_operator(text, column, sign, value):
    condition = parse_condition(text)
    assert (condition.column, condition.operator, condition.value) == (column, sign, value)


@pytest.mark.parametrize("text", ["", "age", "=5", ">= 5"])
def test_text_without_column_or_operator_is_refused(text):
    with pytest.raises(InputError, match="write column, operator and value"):
        parse_condition(text)


def test_codes_of_levels_and_numbers():
    assert allowed("income=>50K") == {4: [1]}
    assert allowed("income!=>50K") == {4: [0]}
    assert allowed("school>=some") == {2: [1, 2]}
    assert allowed("school<all") == {2: [0, 1]}
    assert allowed("school=") == {2: [3]}
    assert allowed("school!=") == {2: [0, 1, 2]}
    assert allowed("school!=some") == {2: [0, 2]}
    assert allowed("smoker=yes") == {3: [1]}
    assert allowed("age>=89") == {0: [72, 73]}
    assert allowed("age>88.5", "age<90") == {0: [72]}
    assert allowed("gain=0") == {1: [0]}
    assert allowed("gain!=0") == {1: list(range(1, 32))}
    assert allowed("age=40", "smoker=no") == {0: [23], 3: [0]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sex=f", "no such column; it has age, gain"),
        ("income=50K", "no such level; it has <=50K, >50K"),
        ("income><=50K", "no order; use = or !="),
        ("smoker<yes", "no order"),
        ("age=12.5", "cannot have this value"),
        ("age=120", "cannot have this value"),
        ("age<17", "no row can satisfy it"),
        ("age>abc", "must be a number"),
        ("age=", "no missing values"),
        ("school>", "no value after the sign"),
        ("gain=-1", "cannot have this value"),
    ],
)
def test_conditions_that_cannot_be_met_say_why_and_what_can(text, sentence):
    with pytest.raises(InputError) as caught:
        allowed(text)
    assert sentence in str(caught.value)
    assert text in str(caught.value)
    assert caught.value.argument == "where"


@pytest.mark.parametrize("text", ["gain>=3535", "gain>5124", "gain<3535", "gain<=5124"])
def test_bounds_between_bins_cut_none(text):
    assert allowed(text)


def test_conditions_that_exclude_each_other_are_refused():
    with pytest.raises(InputError, match="no row can satisfy"):
        allowed("age>50", "age<40")


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["gain>5000"], range(5001, 100_000)),
        (["gain<=5000"], range(5001)),
        (["gain=5000"], [5000]),
        (["gain!=5000"], [*range(5000), *range(5001, 100_000)]),
        (["gain>3700", "gain!=3702", "gain<3705.5"], [3701, 3703, 3704, 3705]),
    ],
)
def test_a_bound_inside_a_bin_leaves_a_part_of_it(texts, values):
    (left,) = restrict(SCHEMA, [parse_condition(text) for text in texts]).values()
    grid = SCHEMA.columns[1].grid
    places = np.array(values)
    codes = np.bincount(grid.encode(places), minlength=32) > 0
    np.testing.assert_array_equal(left.shares > 0, codes)
    assert left.cuts is not None
    drawn = left.cuts.decode(np.repeat(np.flatnonzero(codes), 500), np.random.default_rng(0))
    assert set(drawn) <= set(values)
    assert len(places) > 100 or set(drawn) == set(values)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(integer_columns("x"), continuous_columns("x"), datetime_columns("x")),
    st.sampled_from(sorted(COMPARE)),
    st.data(),
)
def test_what_is_left_agrees_with_the_decoded_values(column, sign, data):
    """Oracle: decode every code many times and compare the values themselves."""
    schema = Schema(
        name="s", columns=(column, Categorical(name="l", categories=("a", "b"))), label="l"
    )
    position = data.draw(st.integers(0, column.grid.count - 1))
    value = column.format_position(position)
    rng = np.random.default_rng(0)
    codes = every_code(schema, rng, rows=20 * column.size)
    cells = decode(schema, codes, rng)["x"]
    known = cells.notna().to_numpy()
    wanted = pd.Timestamp(value) if column.kind == "datetime" else float(value)
    holds = COMPARE[sign](cells[known], wanted).to_numpy(dtype=bool)
    try:
        left = restrict(schema, [parse_condition(f"x{sign}{value}")])[0]
    except InputError as error:
        assert "no row can satisfy" in str(error)
        assert not holds.any()
        return
    drawn_from = codes[known, 0]
    rows = np.bincount(drawn_from, minlength=column.size)
    found = np.bincount(drawn_from, weights=holds, minlength=column.size)
    # One in 10^9 for every code: so far strays what is drawn rows times (Hoeffding).
    within = np.sqrt(np.log(2e9) / 2 / np.maximum(rows, 1))
    assert (np.abs(found / np.maximum(rows, 1) - left.shares)[rows > 0] <= within[rows > 0]).all()
    assert (found[left.shares == 1] == rows[left.shares == 1]).all()
    assert (found[left.shares == 0] == 0).all()
    assert not (column.missing and left.shares[-1])
    if left.cuts is not None:
        check_draws(column, left, sign, wanted)


def check_draws(column, left, sign, wanted):
    """Every value that is drawn under the condition satisfies it, from every cell it leaves."""
    codes = np.repeat(np.flatnonzero(left.shares), 20)
    places = left.cuts.decode(codes, np.random.default_rng(1))
    np.testing.assert_array_equal(column.grid.encode(places), codes)
    values = column.grid.to_values(places)
    if column.kind == "datetime":
        values = column.grid.to_units(places).astype("datetime64[s]")
    assert COMPARE[sign](pd.Series(values), wanted).all()
