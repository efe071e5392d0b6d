import operator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import continuous_columns, datetime_columns, every_code, integer_columns

from synthesis import InputError, decode
from synthesis.conditions import allowed_codes, parse_condition
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
    masks = allowed_codes(SCHEMA, [parse_condition(text) for text in texts])
    return {index: np.flatnonzero(mask).tolist() for index, mask in masks.items()}


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
        ("gain>5000", "nearest that holds exactly is gain>=3535 or gain>5124"),
        ("gain<=5000", "nearest that holds exactly is gain<3535 or gain<=5124"),
        ("gain=5000", "nearest that holds exactly is gain>=3535 together with gain<=5124"),
        ("gain!=5000", "nearest that holds exactly is gain<3535 or gain>5124"),
    ],
)
def test_conditions_that_cannot_be_met_say_why_and_what_can(text, sentence):
    with pytest.raises(InputError) as caught:
        allowed(text)
    assert sentence in str(caught.value)
    assert text in str(caught.value)
    assert caught.value.argument == "where"


@pytest.mark.parametrize("text", ["gain>=3535", "gain>5124", "gain<3535", "gain<=5124"])
def test_the_bounds_an_error_proposes_do_work(text):
    assert allowed(text)


def test_conditions_that_exclude_each_other_are_refused():
    with pytest.raises(InputError, match="no row can satisfy"):
        allowed("age>50", "age<40")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(integer_columns("x"), continuous_columns("x"), datetime_columns("x")),
    st.sampled_from(sorted(COMPARE)),
    st.data(),
)
def test_allowed_codes_agree_with_the_decoded_values(column, sign, data):
    """Oracle: decode every code several times and compare the values themselves."""
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
        mask = allowed_codes(schema, [parse_condition(f"x{sign}{value}")])[0]
    except InputError as error:
        assert "one group" in str(error) or "no row can satisfy" in str(error)
        assert "one group" in str(error) or not holds.any()
        return
    np.testing.assert_array_equal(mask[codes[known, 0]], holds)
    assert not (column.missing and mask[-1])
