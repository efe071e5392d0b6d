"""A real PostgreSQL server as a source: same codes, read only, in parts, silent, never endless."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from postgres import READER, READER_PASSWORD, Postgres, postgres_server

from synthesis import InputError
from synthesis.encoding import needed_columns, read_units
from synthesis.errors import SourceUnavailable
from synthesis.record_sources import CHUNK, read_record_parts
from synthesis.schema import load_schema
from synthesis.sql_engine import SqlQuery
from synthesis.sql_records import read_query_parts

pytestmark = pytest.mark.slow
SHIPPED = Path(__file__).parents[2] / "simulations" / "data"
CELL = "a-cell-nobody-may-see"
MANY = "SELECT i AS x, md5(i::text) AS y FROM generate_series(1, {}) AS i"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as running:
        running.run(
            "CREATE TABLE notes (x text)",
            f"INSERT INTO notes VALUES ('{CELL}')",
            "CREATE TABLE hidden (x text)",
            f"GRANT SELECT ON notes TO {READER}",
            "CREATE FUNCTION write_note() RETURNS int LANGUAGE sql SECURITY DEFINER AS "
            "$$ INSERT INTO notes VALUES ('w'); SELECT 1 $$",
        )
        yield running


def ask(server: Postgres, query: str = "SELECT x FROM notes", **changes: object) -> SqlQuery:
    settings = {"url": server.url, "user": READER, "password": READER_PASSWORD, "query": query}
    return SqlQuery(**(settings | changes))  # type: ignore[arg-type]


def rows(asked: SqlQuery) -> list[list[object]]:
    parts = [part.astype(object) for part in read_query_parts(asked)]
    return [row for part in parts for row in part.where(part.notna(), None).to_numpy().tolist()]


def test_adult_has_the_same_codes_as_in_csv(server: Postgres, tmp_path: Path) -> None:
    schema = load_schema(SHIPPED / "adult.toml")
    table = pd.read_parquet(SHIPPED / "adult.parquet").iloc[:3000]
    table.to_csv(tmp_path / "adult.csv", index=False)
    whole = [pd.api.types.is_integer_dtype(kind) for kind in table.dtypes]
    kinds = ["numeric(12, 2)" if is_whole else "text" for is_whole in whole]
    columns = ", ".join(f'"{n}" {k}' for n, k in zip(table.columns, kinds, strict=True))
    server.run(f"CREATE TABLE adult ({columns}, line serial)", f"GRANT SELECT ON adult TO {READER}")
    with server.connect() as connection, connection.cursor() as cursor:
        names = ", ".join(f'"{name}"' for name in table.columns)
        with cursor.copy(f"COPY adult ({names}) FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write((tmp_path / "adult.csv").read_bytes())
    needed = needed_columns(schema)
    expected = read_units(schema, read_record_parts(tmp_path / "adult.csv", needed))
    units = read_units(
        schema, read_query_parts(ask(server, "SELECT * FROM adult ORDER BY line"), needed)
    )
    assert expected.n_units == 3000
    assert np.array_equal(units.codes, expected.codes)


def test_no_value_that_a_driver_cannot_hold_stops_the_reading(server: Postgres) -> None:
    query = """SELECT * FROM (VALUES
        ('infinity'::date, '0044-03-15 BC'::timestamp, 'NaN'::numeric, 1e-7::float8, true),
        ('2020-01-02', '2020-01-02 03:04', 1.50, 'Infinity', NULL)) AS v (a, b, c, d, e)"""
    assert rows(ask(server, query)) == [
        ["infinity", "0044-03-15 00:00:00 BC", None, "0.0000001", "True"],
        ["2020-01-02", "2020-01-02 03:04:00", "1.50", "inf", None],
    ]
    moment = "SELECT '2020-01-02 03:04+02'::timestamptz, '%s :x' AS b, '1'::int8"
    assert rows(ask(server, moment)) == [["2020-01-02 01:04:00+00", "%s :x", "1"]]


def test_many_rows_come_in_parts_and_are_never_held_together(server: Postgres) -> None:
    list(read_query_parts(ask(server, MANY.format(10))))  # what is loaded once is loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = [len(part) for part in read_query_parts(ask(server, MANY.format(200_000)))]
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert (sum(sizes), max(sizes), len(sizes)) == (200_000, CHUNK, 21)
    assert grown_mb < 15  # all of them together take 50 and more


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT write_note()", "25006"),
        ("WITH d AS (DELETE FROM notes RETURNING x) SELECT x FROM d", "0A000"),
        ("SELECT 1; DROP TABLE notes", "42601"),
        ("SELECT * FROM nothing_here", "42P01"),
        ("SELECT nothing_here FROM notes", "42703"),
        ("SELECT x FROM hidden", "42501"),
        ("SELECT FRO notes WHERE", "42601"),
        ("SELECT x::int FROM notes", "22P02"),
    ],
)
def test_a_query_to_mend_is_one_sentence_with_its_code(
    server: Postgres, query: str, code: str
) -> None:
    with pytest.raises(InputError, match=rf"\({code}\)$") as caught:
        rows(ask(server, query))
    assert_silent(caught.value)
    assert rows(ask(server)) == [[CELL]]


def assert_silent(error: BaseException) -> None:
    """Nothing of the database's own words is on the error or hangs on it."""
    assert error.__context__ is None and error.__cause__ is None
    for text in (READER, READER_PASSWORD, CELL, "nothing_here", "127.0.0.1", "SELECT x"):
        assert text not in str(error)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"password": "wrong-" + READER_PASSWORD}, InputError),
        ({"password": None}, InputError),
        ({"user": "nobody_here"}, InputError),
        ({"url": "postgresql+psycopg://127.0.0.1:1/clinic"}, SourceUnavailable),
        ({"url": "postgresql+psycopg://no-such-host.invalid/clinic"}, SourceUnavailable),
    ],
)
def test_a_refused_login_is_to_mend_and_an_absent_server_is_not(
    server: Postgres, changes: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        rows(ask(server, **changes))
    assert_silent(caught.value)


def test_an_absent_database_is_to_mend(server: Postgres) -> None:
    with pytest.raises(InputError, match="refuses the login; check user, password and database"):
        rows(ask(server, url=server.url.replace("/clinic", "/none")))


def test_a_server_that_takes_too_long_stops_by_itself(server: Postgres) -> None:
    with pytest.raises(SourceUnavailable, match=r"took too long \(57014\)"):
        rows(ask(server, "SELECT pg_sleep(30)", statement_timeout_s=0.3))
    assert server.backends() == []


def test_a_server_that_falls_silent_is_not_waited_for(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthesis.sql_engine._GRACE_S", 0.3)
    parts = read_query_parts(ask(server, MANY.format(200_000), statement_timeout_s=0.5))
    next(parts)
    (backend,) = server.backends()
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(SourceUnavailable, match="cannot be reached or broke off") as caught:
            list(parts)
    finally:
        os.kill(backend, signal.SIGCONT)
    assert_silent(caught.value)


def test_a_connection_that_dies_while_read_is_unavailable(server: Postgres) -> None:
    parts = read_query_parts(ask(server, MANY.format(200_000)))
    assert [len(next(parts)) for _ in range(3)] == [0, CHUNK, CHUNK]
    (backend,) = server.backends()
    server.run(f"SELECT pg_terminate_backend({backend})")
    with pytest.raises(SourceUnavailable, match=r"57P01|broke off") as caught:
        list(parts)
    assert_silent(caught.value)


def test_a_reading_that_is_given_up_leaves_no_connection(server: Postgres) -> None:
    parts = read_query_parts(ask(server, MANY.format(200_000)))
    next(parts)
    assert len(server.backends()) == 1
    parts.close()  # type: ignore[attr-defined]
    assert server.backends() == []


@pytest.mark.parametrize("password", [READER_PASSWORD, "wrong-" + READER_PASSWORD])
def test_no_log_of_any_level_holds_credentials_cells_or_the_query(
    server: Postgres, caplog: pytest.LogCaptureFixture, password: str
) -> None:
    for name in [None, *logging.root.manager.loggerDict]:
        if name is None or name.startswith(("sqlalchemy", "psycopg")):
            caplog.set_level(logging.DEBUG, logger=name)
    try:
        assert rows(ask(server, password=password)) == [[CELL]]
    except InputError as error:
        assert "refuses the login" in str(error)
    for text in (READER, READER_PASSWORD, CELL, "notes", "127.0.0.1"):
        assert text not in caplog.text


def test_a_server_that_stops_at_once_while_read_is_unavailable() -> None:
    with postgres_server() as own:
        parts = read_query_parts(ask(own, MANY.format(200_000)))
        assert len(next(parts)) + len(next(parts)) == CHUNK
        own.process.send_signal(signal.SIGQUIT)
        own.process.wait(timeout=20)
        with pytest.raises(SourceUnavailable) as caught:
            list(parts)
        assert_silent(caught.value)
