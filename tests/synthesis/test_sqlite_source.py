"""A database file as a source: read only, one part at a time, and silent."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from synthesis import InputError
from synthesis.errors import SourceUnavailable
from synthesis.sql_engine import SqlQuery
from synthesis.sql_errors import explain_sql_error
from synthesis.sql_records import read_query_parts

CELL = "a-cell-nobody-may-see"


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    path = tmp_path / "clinic.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x, y)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, CELL), (2.5, None), ("a:b %s", 1)])
    connection.execute("INSERT INTO t VALUES (CAST(x'ff41' AS TEXT), 1e-7)")
    connection.commit()
    connection.close()
    return path


def rows(path: Path, query: str = "SELECT * FROM t", **settings: float) -> list[list[object]]:
    asked = SqlQuery(url=f"sqlite:///{path}", query=query, **settings)
    parts = [part.astype(object) for part in read_query_parts(asked)]
    return [row for part in parts for row in part.where(part.notna(), None).to_numpy().tolist()]


def test_every_cell_is_text_by_itself(clinic: Path) -> None:
    assert rows(clinic) == [
        ["1", CELL],
        ["2.5", None],
        ["a:b %s", "1"],
        ["\ufffdA", "0.0000001"],
    ]


def test_colons_and_percent_signs_in_a_query_are_its_own(clinic: Path) -> None:
    assert rows(clinic, "SELECT x FROM t WHERE x LIKE '%:b %s'") == [["a:b %s"]]


def test_a_query_without_records_still_names_its_columns(clinic: Path) -> None:
    asked = SqlQuery(url=f"sqlite:///{clinic}", query="SELECT x FROM t WHERE x = 'none'")
    assert [list(part.columns) for part in read_query_parts(asked)] == [["x"]]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM nothing_here", "names what is not there"),
        ("SELECT nothing_here FROM t", "names what is not there"),
        ("SELECT x, y AS x FROM t", "more than one column named 'x'"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "must only read"),
        ("DROP TABLE t", "must only read"),
    ],
)
def test_what_a_person_must_mend_is_one_sentence(clinic: Path, query: str, sentence: str) -> None:
    before = clinic.read_bytes()
    with pytest.raises(InputError, match=sentence) as caught:
        rows(clinic, query)
    assert caught.value.__context__ is None
    assert "nothing_here" not in str(caught.value)
    assert clinic.read_bytes() == before


def test_a_file_that_is_absent_or_no_database_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        rows(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text.sqlite").write_text("no database" * 100)
    with pytest.raises(InputError, match="not an SQLite database"):
        rows(tmp_path / "text.sqlite")


def test_a_query_without_end_is_stopped(clinic: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(SourceUnavailable, match="took too long"):
        rows(clinic, endless, statement_timeout_s=0.2)


def test_a_locked_file_is_not_waited_for_without_end(clinic: Path) -> None:
    holder = sqlite3.connect(clinic, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(SourceUnavailable, match="SQLITE_BUSY"):
            rows(clinic, connect_timeout_s=0.1)
    finally:
        holder.close()


def test_no_log_of_any_level_holds_a_cell_or_the_query(
    clinic: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (None, "sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool"):
        caplog.set_level(logging.DEBUG, logger=name)
    assert len(rows(clinic)) == 4
    assert CELL not in caplog.text
    assert "SELECT" not in caplog.text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('root certificate file "root.crt" does not exist', "sslrootcert"),
        ("SSL error: certificate verify failed", "sslrootcert"),
        ('FATAL: role "reader" does not exist', "refuses the login"),
        ("connection refused", "cannot be reached"),
    ],
)
def test_a_failed_connection_is_told_by_what_a_person_can_mend(said: str, expected: str) -> None:
    told = str(explain_sql_error(ConnectionError(said)))
    assert expected in told and said not in told
