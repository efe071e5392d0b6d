"""The same records mean the same whether they lie in one file, in many, or in a database."""

from __future__ import annotations

import errno
import gzip
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthesis import InputError
from synthesis.cells import to_text
from synthesis.encoding import needed_columns, read_units
from synthesis.errors import SourceUnavailable
from synthesis.record_sources import read_record_parts, read_records
from synthesis.schema import (
    Boolean,
    Categorical,
    Continuous,
    Datetime,
    Integer,
    Schema,
    load_schema,
)
from synthesis.sql_engine import SqlQuery
from synthesis.sql_records import read_query_parts
from synthesis.units import Units

SHIPPED = Path(__file__).parents[2] / "simulations" / "data"
MIXED = Schema(
    name="mixed",
    label="grade",
    columns=(
        Integer(name="age", minimum=0, maximum=99, missing=True),
        Continuous(name="dose", minimum=0.0, maximum=9.99, decimals=2, bins=10),
        Categorical(name="grade", categories=("1", "2", "3")),
        Boolean(name="smokes", true="yes", false="no", missing=True),
        Datetime(name="seen", minimum=datetime(1600, 1, 1), maximum=datetime(2100, 1, 1), bins=50),
    ),
)
TYPED = pd.DataFrame(
    {
        "age": pd.array([30, None, 41, 200, 5], dtype="Int64"),
        "dose": [0.5, 1e-7, 3.25, 2.0, float("nan")],
        "grade": [1.0, 2.0, 3.0, 1.0, 2.0],
        "smokes": pd.array([True, False, None, True, False], dtype="boolean"),
        "seen": [date(2020, 1, 2), date(1600, 1, 1), date(2099, 12, 31), date(2020, 2, 2), None],
    }
)


def assert_same(one: Units, other: Units) -> None:
    assert np.array_equal(one.codes, other.codes)
    assert one.ids == other.ids


def read(schema: Schema, path: Path) -> Units:
    return read_units(schema, read_record_parts(path, needed_columns(schema)))


def write_sqlite(path: Path, table: pd.DataFrame) -> SqlQuery:
    connection = sqlite3.connect(path)
    table.to_sql("t", connection, index=False)
    connection.close()
    return SqlQuery(url=f"sqlite:///{path}", query="SELECT * FROM t ORDER BY rowid")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (np.int64(2**62 + 1), str(2**62 + 1)),
        (7.0, "7.0"),
        (np.float32(0.1), "0.1"),
        (1e-7, "0.0000001"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), None),
        (float("inf"), "inf"),
        (True, "True"),
        (date(2020, 1, 2), "2020-01-02"),
        (datetime(2020, 1, 2, 3, 4), "2020-01-02 03:04:00"),
        (pd.NaT, None),
        (pd.NA, None),
        ("", ""),
    ],
)
def test_every_value_has_one_text(value: object, text: str | None) -> None:
    assert to_text(value) == text


def test_adult_is_the_same_from_csv_parquet_folders_and_sqlite(tmp_path: Path) -> None:
    schema = load_schema(SHIPPED / "adult.toml")
    table = pd.read_parquet(SHIPPED / "adult.parquet").iloc[:3000]
    for ending in ("csv", "parquet"):
        (tmp_path / ending).mkdir()
    table.to_csv(tmp_path / "all.csv", index=False)
    table.to_parquet(tmp_path / "all.parquet", index=False)
    for number in range(3):
        part = table.iloc[number * 1000 : (number + 1) * 1000]
        part.to_csv(tmp_path / "csv" / f"{number}.csv", index=False)
        part.to_parquet(tmp_path / "parquet" / f"{number}.parquet", index=False)
    expected = read(schema, tmp_path / "all.csv")
    assert expected.n_units == 3000
    for place in ("all.parquet", "csv", "parquet"):
        assert_same(read(schema, tmp_path / place), expected)
    asked = write_sqlite(tmp_path / "all.sqlite", table)
    assert_same(read_units(schema, read_query_parts(asked, needed_columns(schema))), expected)


def test_every_kind_of_column_is_the_same_from_csv_and_parquet(tmp_path: Path) -> None:
    TYPED.to_parquet(tmp_path / "t.parquet", index=False)
    words = TYPED.assign(smokes=["yes", "no", None, "yes", "no"])
    words.to_csv(tmp_path / "t.csv", index=False)
    units = read(MIXED, tmp_path / "t.parquet")
    assert units.n_units == 3  # an age out of bounds and an empty dose do not take part
    assert_same(read(MIXED, tmp_path / "t.csv"), units)


def test_the_type_of_one_file_does_not_change_how_another_is_read(tmp_path: Path) -> None:
    TYPED.iloc[:1].to_parquet(tmp_path / "a.parquet", index=False)
    alone = read(MIXED, tmp_path)
    odd = pd.DataFrame({"seen": [7], "smokes": [0.5], "grade": ["x"], "dose": [True], "age": ["a"]})
    odd.to_parquet(tmp_path / "b.parquet", index=False)
    assert_same(read(MIXED, tmp_path), alone)
    assert alone.n_units == 1


def test_one_very_exact_moment_does_not_change_how_others_are_read(tmp_path: Path) -> None:
    lines = "age,dose,grade,smokes,seen\n1,1,1,yes,1600-01-01\n"
    (tmp_path / "a.csv").write_text(lines)
    alone = read(MIXED, tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text(lines + "1,1,1,yes,2020-01-01 00:00:00.123456789\n")
    assert_same(read(MIXED, tmp_path / "b.csv"), alone)
    assert alone.n_units == 1


def test_long_files_are_read_in_parts(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(25_000), "y": "a"})
    for name in ("t.csv", "t.csv.gz"):
        table.to_csv(tmp_path / name, index=False)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    for name in ("t.csv", "t.csv.gz", "t.parquet"):
        parts = list(read_record_parts(tmp_path / name, ["x"]))
        assert max(map(len, parts)) == 10_000
        assert [list(part.columns) for part in parts] == [["x"]] * len(parts)
        assert read_records(tmp_path / name)["x"].tolist() == [str(x) for x in range(25_000)]


def test_a_folder_is_read_by_name_without_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("y,x\nb,2\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x,y\n1,a\n"))
    (tmp_path / ".c.csv").write_text("x,y\n3,c\n")
    (tmp_path / "inner").mkdir()
    assert read_records(tmp_path)[["x", "y"]].to_numpy().tolist() == [["1", "a"], ["2", "b"]]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds none"),
        ({".hidden.csv": "x\n"}, "holds none"),
        ({"a.csv": "x\n1\n", "b.parquet": "x"}, "holds both"),
        ({"a.csv": "x\n1\n", "notes.txt": "x"}, r"notes\.txt must end in"),
        ({"a.csv": "x\n1\n", "b.csv": "z\n1\n"}, r"b\.csv lacks column 'x'"),
        ({"a.csv": "x,x\n1,1\n"}, r"a\.csv has more than one column"),
        ({"a.csv": "x\n1\n", "b.csv": ""}, r"b\.csv cannot be read as CSV"),
    ],
)
def test_folders_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=sentence):
        list(read_record_parts(tmp_path, ["x"]))


def test_a_file_that_vanishes_or_fails_while_read_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    parts = read_record_parts(tmp_path)
    assert len(next(parts)) == 1
    monkeypatch.setattr("synthesis.csv_records._whole", fail_with(OSError(errno.EIO, "I/O error")))
    with pytest.raises(SourceUnavailable, match="'I/O error'"):
        list(parts)
    (tmp_path / "t.csv").write_text("x\n1\n")
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    with pytest.raises(SourceUnavailable, match="No such file"):
        list(read_record_parts(tmp_path / "gone.csv"))
    with pytest.raises(SourceUnavailable, match="No such file"):
        list(read_record_parts(tmp_path / "gone.parquet"))


def fail_with(error: OSError) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail


def test_damaged_files_are_a_matter_of_input(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(1000)}).to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    for content in (whole[:-50], whole[:10] + b"\xff" * 400 + whole[410:], b"", b"text"):
        (tmp_path / "t.parquet").write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            list(read_record_parts(tmp_path / "t.parquet"))
    packed = gzip.compress(b"x\n" + bytes(range(48, 58)) * 1000)
    (tmp_path / "t.csv.gz").write_bytes(packed[:20] + b"\xff" * 9 + packed[29:])
    with pytest.raises(InputError, match="cannot be read as CSV"):
        list(read_record_parts(tmp_path / "t.csv.gz"))
