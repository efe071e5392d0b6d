"""Where a source is cut into parts changes nothing: same codes, same persons, same counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthesis import InputError, csv_records, record_sources, sql_records
from synthesis.encoding import needed_columns, read_units
from synthesis.record_sources import read_batches, read_records
from synthesis.schema import (
    Boolean,
    Categorical,
    Column,
    Continuous,
    Datetime,
    Integer,
    Schema,
    UnitOfPrivacy,
)
from synthesis.sql_engine import SqlQuery
from synthesis.sql_records import read_query_batches
from synthesis.units import Units

PART = 8
KINDS = ("csv", "parquet", "sqlite")
COLUMNS: tuple[Column, ...] = (
    Integer(name="age", minimum=0, maximum=99, missing=True),
    Continuous(name="dose", minimum=0.0, maximum=9.99, decimals=2, bins=10),
    Categorical(name="grade", categories=("1", "2", "3")),
    Boolean(name="smokes", true="yes", false="no", missing=True),
    Datetime(name="seen", minimum=datetime(2000, 1, 1), maximum=datetime(2030, 1, 1), bins=50),
)
RECORDS = Schema(name="mixed", label="grade", columns=COLUMNS)
PERSONS = Schema(
    name="mixed",
    label="grade",
    columns=COLUMNS,
    unit=UnitOfPrivacy(kind="person", person_column="who"),
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 32 * PART)
    monkeypatch.setattr(record_sources, "BATCH", PART)
    monkeypatch.setattr(sql_records, "CHUNK", PART)


def make_table(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    return pd.DataFrame(
        {
            "age": rng.integers(0, 100, rows).astype(str).astype(object),
            "dose": [f"{number:.2f}" for number in 9.99 * rng.random(rows)],
            "grade": rng.choice(["1", "2", "3"], rows),
            "smokes": rng.choice(["yes", "no"], rows),
            "seen": [f"20{year:02d}-05-06" for year in rng.integers(0, 30, rows)],
            "who": [f"p{number}" for number in rng.integers(0, 5, rows)],
        },
        dtype=object,
    )


def write(folder: Path, kind: str, table: pd.DataFrame) -> Path:
    path = folder / f"t.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path, index=False)
    else:
        connection = sqlite3.connect(path)
        table.to_sql("t", connection, index=False)
        connection.close()
    return path


def read(path: Path, schema: Schema) -> Units:
    with closing(batches(path, schema)) as parts:
        return read_units(schema, parts)


def batches(path: Path, schema: Schema) -> Generator[pa.RecordBatch, None, None]:
    if path.suffix == ".sqlite":
        asked = SqlQuery(url=f"sqlite:///{path}", query="SELECT * FROM t ORDER BY rowid")
        return read_query_batches(asked, needed_columns(schema))
    return read_batches(path, needed_columns(schema))


def assert_same(one: Units, other: Units) -> None:
    assert one.codes.dtype == other.codes.dtype == np.int16
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.unit, other.unit)
    np.testing.assert_array_equal(one.weights(), other.weights())
    assert one.ids == other.ids


def check(folder: Path, kind: str, table: pd.DataFrame, schema: Schema = RECORDS) -> Units:
    """Compare parts with the whole table at once, which ``read_column`` reads as before."""
    path = write(folder, kind, table)
    units = read(path, schema)
    assert_same(units, read_units(schema, table))
    return units


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 1])
@pytest.mark.parametrize("schema", [RECORDS, PERSONS])
def test_any_number_of_rows_is_read_whole(
    tmp_path: Path, kind: str, rows: int, schema: Schema
) -> None:
    assert len(check(tmp_path, kind, make_table(rows), schema).codes) == rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("column", "value"),
    [("age", "100"), ("age", "old"), ("dose", "1.2.3"), ("grade", "4"), ("seen", "yesterday")],
)
def test_a_bad_value_in_the_last_part_costs_its_own_row(
    tmp_path: Path, kind: str, column: str, value: str
) -> None:
    table = make_table(3 * PART + 1)
    table.loc[3 * PART, column] = value
    assert len(check(tmp_path, kind, table).codes) == 3 * PART


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schema", [RECORDS, PERSONS])
def test_missing_values_may_begin_in_a_later_part(
    tmp_path: Path, kind: str, schema: Schema
) -> None:
    table = make_table(4 * PART)
    table.loc[2 * PART :: 2, "age"] = None
    table.loc[3 * PART :: 3, "smokes"] = None
    table.loc[3 * PART + 1, "dose"] = None  # must not be missing
    table.loc[3 * PART + 2, "who"] = "  "
    units = check(tmp_path, kind, table, schema)
    assert len(units.codes) == 4 * PART - (1 if schema is RECORDS else 2)


def test_a_column_that_looks_whole_at_first_is_read_cell_by_cell(tmp_path: Path) -> None:
    table = make_table(4 * PART)
    table.loc[3 * PART :, "age"] = ["7.0", "007", "1e1", "x", "", "99", "100", "True"]
    units = check(tmp_path, "csv", table)
    ages = units.codes[3 * PART :, 0].tolist()
    assert ages == [7, 7, 10, 100, 99]  # "x", "100" and "True" do not take part; 100 is missing


@pytest.mark.parametrize("kind", ["parquet", "sqlite"])
@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        ([1, 2, 3], [0, 1, 2]),
        ([1.0, 2.0, 3.0], [0, 1, 2]),
        ([1, None, 3], [0, 2]),  # pandas writes these as numbers with a point
        (["1", "2.0", "03"], [0, 1]),  # '03' is a word
    ],
)
def test_categories_that_are_numbers_are_found_whatever_their_type(
    tmp_path: Path, kind: str, cells: list[object], codes: list[int]
) -> None:
    table = make_table(3 * PART)
    table["grade"] = pd.Series(cells * PART)
    units = read(write(tmp_path, kind, table), RECORDS)
    assert units.codes[:, 2].tolist() == codes * PART


@pytest.mark.parametrize("kind", KINDS)
def test_persons_whose_rows_lie_in_several_parts_weigh_one(tmp_path: Path, kind: str) -> None:
    units = check(tmp_path, kind, make_table(5 * PART), PERSONS)
    assert units.n_units == 5
    totals = np.bincount(units.unit, units.weights())
    assert (totals <= 1).all() and (totals > 1 - 1e-4).all()


@pytest.mark.parametrize(
    "ages",
    [
        pa.array([5, None, 99, 100, -1] * 5, pa.int8()),
        pa.array([5, 2**63, 7, 2**53 + 1, 0] * 5, pa.uint64()),
        pa.array([5.0, 5.5, float("nan"), None, -0.0] * 5, pa.float32()),
        pa.array(["5", " ", "5.0", "x", None] * 5).dictionary_encode(),
        pa.array([[5], [6], None, [], [7, 8]] * 5),
        pa.array([True, False, None, True, True] * 5),
    ],
)
def test_every_arrow_type_is_read_as_its_text(tmp_path: Path, ages: pa.Array) -> None:
    table = pa.Table.from_pandas(make_table(25), preserve_index=False)
    pq.write_table(table.set_column(0, "age", ages), tmp_path / "t.parquet")
    path = tmp_path / "t.parquet"
    assert_same(read(path, RECORDS), read_units(RECORDS, read_records(path)))


def test_ids_are_told_apart_by_their_text_in_every_part(tmp_path: Path) -> None:
    table = make_table(25).assign(who=[0.0, -0.0, 1.0, 1.5, float("nan")] * 5)
    path = write(tmp_path, "parquet", table.astype({"who": float}))
    units = read(path, PERSONS)
    assert units.ids == ("-0.0", "0.0", "1.0", "1.5")
    connection = sqlite3.connect(tmp_path / "t.sqlite")
    table.assign(who=[1, 1.0, "1", "01", 2**62] * 5).to_sql("t", connection, index=False)
    connection.close()
    units = read(tmp_path / "t.sqlite", PERSONS)
    assert units.ids == ("01", "1", "1.0", str(2**62))
    assert np.bincount(units.unit).tolist() == [5, 10, 5, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lacking_column_is_refused_in_the_same_words(tmp_path: Path, kind: str) -> None:
    table = make_table(PART).drop(columns="dose")
    with pytest.raises(InputError) as whole:
        read_units(RECORDS, table)
    with pytest.raises(InputError) as parts:
        read(write(tmp_path, kind, table), RECORDS)
    assert str(parts.value) == str(whole.value)


def test_an_index_of_pandas_is_no_column(tmp_path: Path) -> None:
    make_table(PART).set_index("age").to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match="'age' is declared in the schema, but the table lacks"):
        read(tmp_path / "t.parquet", RECORDS)
