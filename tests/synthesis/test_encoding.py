import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas

from synthesis import InputError, conform, decode, encode
from synthesis.schema import (
    Boolean,
    Categorical,
    Continuous,
    Datetime,
    Integer,
    LevelColumn,
    Schema,
    check_table,
    load_schema,
)
from synthesis.tables import read_table, write_table

DATA = Path(__file__).parents[2] / "simulations" / "data"
LABEL = Categorical(name="label", categories=("a", "b"))


def one_column(column) -> Schema:
    return Schema(name="one", columns=(column, LABEL), label="label")


def decoded(column, codes, seed=0) -> pd.Series:
    table = np.stack([codes, np.arange(len(codes)) % 2], axis=1)
    return decode(one_column(column), table, np.random.default_rng(seed))[column.name]


@settings(max_examples=150, deadline=None)
@given(schemas(), st.integers(0, 2**32))
def test_every_decoded_value_obeys_the_schema_and_encodes_to_its_code(schema, seed):
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)
    table = decode(schema, codes, rng)
    assert check_table(schema, table) == []
    np.testing.assert_array_equal(encode(schema, table), codes)


@settings(max_examples=40, deadline=None)
@given(schemas(), st.integers(0, 2**32))
def test_missing_stays_missing_and_nothing_else_is(schema, seed):
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)
    table = decode(schema, codes, rng)
    for index, column in enumerate(schema.columns):
        expected = codes[:, index] == (column.size - 1 if column.missing else -1)
        np.testing.assert_array_equal(table[column.name].isna(), expected)


@settings(max_examples=40, deadline=None)
@given(schemas(), st.integers(0, 2**32))
def test_point_masses_come_out_exactly_and_from_nowhere_else(schema, seed):
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)
    table = decode(schema, codes, rng)
    for index, column in enumerate(schema.columns):
        for code, mass in enumerate(getattr(column, "point_masses", ())):
            is_mass = (table[column.name] == mass).fillna(False).to_numpy(dtype=bool)
            np.testing.assert_array_equal(is_mass, codes[:, index] == code)


@settings(max_examples=25, deadline=None)
@given(schemas(), st.sampled_from([".csv", ".csv.gz", ".parquet"]), st.integers(0, 2**32))
def test_round_trip_survives_a_file(tmp_path_factory, schema, ending, seed):
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)
    path = tmp_path_factory.mktemp("trip") / f"table{ending}"
    write_table(decode(schema, codes, rng), path)
    if ending == ".parquet" or not any(_is_number_like(column) for column in schema.columns):
        np.testing.assert_array_equal(encode(schema, read_table(path)), codes)


def _is_number_like(column) -> bool:
    """Levels such as '1' and '1.0' in one column cannot be told apart in an untyped CSV file."""
    return isinstance(column, LevelColumn) and any(
        any(sign.isnumeric() for sign in level) for level in column.levels
    )


@settings(max_examples=40, deadline=None)
@given(schemas(), st.integers(0, 2**32))
def test_conform_gives_the_types_of_decode_and_keeps_values(schema, seed):
    rng = np.random.default_rng(seed)
    table = decode(schema, every_code(schema, rng), rng)
    pd.testing.assert_frame_equal(conform(schema, table), table)
    pd.testing.assert_frame_equal(conform(schema, table.astype(object)), table)


def test_conform_does_not_add_missing_values_or_drop_the_order_of_columns():
    schema = one_column(Integer(name="n", minimum=0, maximum=9, missing=True))
    table = pd.DataFrame({"label": ["a", "b"], "extra": [1, 2], "n": ["3", " "]})
    result = conform(schema, table)
    assert list(result.columns) == ["n", "label"]
    assert result["n"].tolist() == [3, pd.NA]


def test_types_after_decode_are_those_of_the_kinds():
    columns = (
        Integer(name="i", minimum=0, maximum=5),
        Integer(name="im", minimum=0, maximum=5, missing=True),
        Continuous(name="c", minimum=0, maximum=1, decimals=1),
        Datetime(name="d", minimum="2020-01-01", maximum="2020-01-09"),
        Boolean(name="b", true="ja", false="nein"),
        LABEL,
    )
    schema = Schema(name="kinds", columns=columns, label="label")
    table = decode(schema, np.zeros((3, 6), dtype=np.int16), np.random.default_rng(0))
    assert [str(kind) for kind in table.dtypes] == [
        "int64", "Int64", "float64", "datetime64[s]", "str", "str",
    ]  # fmt: skip
    assert set(table["b"]) == {"nein"}


def test_tables_without_rows_decode_and_encode():
    schema = one_column(Integer(name="i", minimum=0, maximum=5, missing=True))
    table = decode(schema, np.zeros((0, 2), dtype=np.int16), np.random.default_rng(0))
    assert encode(schema, table).shape == (0, 2)


def test_values_are_uniform_inside_a_bin():
    drawn = decoded(Integer(name="x", minimum=0, maximum=199, bins=2), np.zeros(100_000, int))
    shares = np.bincount(drawn, minlength=200) / len(drawn)
    assert shares[100:].sum() == 0
    np.testing.assert_allclose(shares[:100], 0.01, atol=0.002)


def test_values_are_log_uniform_inside_a_log_bin():
    limits = {"minimum": 1, "maximum": 99_999_999.9, "decimals": 1}
    column = Continuous(name="x", bins=2, transform="log", **limits)
    drawn = np.log10(decoded(column, np.ones(100_000, int))) - 4
    shares = np.histogram(drawn, bins=8, range=(0, 4))[0] / len(drawn)
    np.testing.assert_allclose(shares, 1 / 8, atol=0.005)


def test_the_same_seed_decodes_to_the_same_table_and_another_does_not():
    column = Continuous(name="x", minimum=0, maximum=1, decimals=6, bins=4)
    codes = np.arange(400) % 4
    assert decoded(column, codes, 1).equals(decoded(column, codes, 1))
    assert not decoded(column, codes, 1).equals(decoded(column, codes, 2))


def test_values_are_read_at_the_declared_decimals():
    column = Continuous(name="x", minimum=0, maximum=1, decimals=1, point_masses=(0.3,))
    table = pd.DataFrame({"x": [0.1 + 0.2, 1.0000000001], "label": ["a", "b"]})
    assert encode(one_column(column), table)[:, 0].tolist() == [0, 10]


def test_adult_is_792_codes_wide_and_is_encoded_and_decoded_quickly():
    schema = load_schema(DATA / "adult.toml")
    table = read_table(DATA / "adult.parquet").iloc[:39_074]
    assert sum(schema.sizes) == 792
    start = time.process_time()
    codes = encode(schema, table)
    middle = time.process_time()
    again = decode(schema, codes, np.random.default_rng(0))
    assert middle - start < 0.8
    assert time.process_time() - middle < 0.8
    assert (again["age"] == table["age"]).all()
    assert (again["hours-per-week"] == table["hours-per-week"]).all()
    for name in ("capital-gain", "capital-loss"):
        assert ((again[name] == 0) == (table[name] == 0)).all()


def test_encode_names_the_first_violations_and_counts_the_rest():
    columns = tuple(Integer(name=f"n{i}", minimum=0, maximum=9) for i in range(5))
    schema = Schema(name="five", columns=(*columns, LABEL), label="label")
    table = pd.DataFrame({f"n{i}": [5, 77] for i in range(5)} | {"label": ["a", "b"]})
    with pytest.raises(InputError) as caught:
        encode(schema, table)
    message = str(caught.value)
    assert "schema 'five'" in message and "'n0' has 1 cell (the first in row 2)" in message
    assert "2 more" in message and "77" not in message
    assert caught.value.argument == "n0"


def test_encode_refuses_missing_and_repeated_columns():
    schema = one_column(Integer(name="n", minimum=0, maximum=9))
    with pytest.raises(InputError, match="'n' is declared in the schema, but the table lacks it"):
        encode(schema, pd.DataFrame({"label": ["a"]}))
    twice = pd.DataFrame([[1, 2, "a"]], columns=["n", "n", "label"])
    with pytest.raises(InputError, match="'n' occurs more than once"):
        encode(schema, twice)


@pytest.mark.parametrize(
    "codes", [np.zeros((2, 3), int), np.zeros(2, int), [[0, -1]], [[10, 0]], [[0, 2]]]
)
def test_decode_refuses_codes_of_another_schema(codes):
    schema = one_column(Integer(name="n", minimum=0, maximum=9))
    with pytest.raises(InputError, match="decode with the schema"):
        decode(schema, np.asarray(codes), np.random.default_rng(0))


def test_input_errors_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(InputError("rows must be > 0.", argument="rows")))
    assert (str(error), error.argument) == ("rows must be > 0.", "rows")
