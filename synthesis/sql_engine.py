"""Connections to a site's database that can only read, say nothing and do not wait without end."""

from __future__ import annotations

import logging
import math
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from synthesis.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

__all__ = ["SqlQuery", "connect", "parse_url"]

DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
_LOG_NAME = "fedsynth"
_GRACE_S = 5.0  # the server is to end a slow statement itself, with a code that says so
# Values that a driver may fail to turn into Python's, such as the date 'infinity', stay text.
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "json", "jsonb")
_SESSION = {
    "datestyle": "'ISO, YMD'",
    "timezone": "'UTC'",
    "extra_float_digits": "1",
}


@dataclass(frozen=True, kw_only=True)
class SqlQuery:
    """One question to one database.

    Attributes:
        url: where it is, without user and password.
        query: one SELECT.
        user: who asks; None leaves it to the driver.
        password: of that user; None leaves it to the driver.
        connect_timeout_s: longest wait for a connection.
        statement_timeout_s: longest wait for the records, from the first to the last.
    """

    url: str = field(repr=False)
    query: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    statement_timeout_s: float = 600.0


def parse_url(text: str) -> URL:
    """Return a database URL in its parts.

    Raises:
        ValueError: if it is none, or for a database that is not supported; the text, which may
            hold a password, is not repeated.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in {*DRIVERS, *DRIVERS.values()}:
        raise ValueError(
            "url must be like 'postgresql+psycopg://host:5432/database' or 'sqlite:///file.db'"
        )
    return url.set(drivername=DRIVERS[url.get_backend_name()])


@contextmanager
def connect(asked: SqlQuery) -> Iterator[Connection]:
    """Open a read-only transaction; what is read in it is of one moment.

    Raises:
        InputError: if there is no such database file.
        SQLAlchemyError: whatever goes wrong with the database.
    """
    deadline = time.monotonic() + asked.statement_timeout_s
    url = parse_url(asked.url)
    _silence()
    if url.get_backend_name() == "sqlite":
        with _sqlite_engine(url, asked, deadline).connect() as connection:
            yield connection
        return
    with _postgresql_engine(url, asked).connect() as connection:
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        with _cut_off(connection, asked.statement_timeout_s + _GRACE_S):
            timeout = {"statement_timeout": str(math.ceil(asked.statement_timeout_s * 1000))}
            for name, value in (_SESSION | timeout).items():
                connection.exec_driver_sql(f"SET LOCAL {name} = {value}")
            yield connection


def _silence() -> None:
    """Keep statements, rows and names out of every log, whatever level others have set."""
    for name in (
        f"sqlalchemy.engine.Engine.{_LOG_NAME}",
        f"sqlalchemy.pool.impl.NullPool.{_LOG_NAME}",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in ("psycopg", "psycopg.pq"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _make_engine(url: URL | str, **settings: Any) -> Engine:
    from sqlalchemy import NullPool, create_engine

    return create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        logging_name=_LOG_NAME,
        pool_logging_name=_LOG_NAME,
        **settings,
    )


def _postgresql_engine(url: URL, asked: SqlQuery) -> Engine:
    from sqlalchemy import event

    patience_ms = math.ceil((asked.statement_timeout_s + _GRACE_S) * 1000)
    arguments = {
        "application_name": "fedsynth",
        "connect_timeout": math.ceil(asked.connect_timeout_s),
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": min(patience_ms, 2**31 - 1),
    }
    url = url.set(username=asked.user, password=asked.password)
    engine = _make_engine(url, connect_args=arguments)
    event.listen(engine, "connect", _read_as_text)
    return engine


def _read_as_text(connection: Any, _record: object) -> None:
    from psycopg.types.string import TextLoader

    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)


@contextmanager
def _cut_off(connection: Connection, patience_s: float) -> Iterator[None]:
    """Break the connection when a server that does not answer has been waited for long enough."""
    driver: Any = connection.connection.driver_connection
    with socket.socket(fileno=os.dup(driver.fileno())) as line:
        timer = threading.Timer(patience_s, line.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _sqlite_engine(url: URL, asked: SqlQuery, deadline: float) -> Engine:
    path = Path(url.database or "")
    if not path.is_file():
        raise InputError(
            f"database file {path} does not exist; check the path and the spelling", argument="url"
        )

    def open_file() -> sqlite3.Connection:
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        opened = sqlite3.connect(uri, uri=True, timeout=asked.connect_timeout_s)
        opened.text_factory = lambda text: text.decode("utf-8", "replace")
        opened.execute("PRAGMA query_only = ON")
        opened.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        return opened

    return _make_engine("sqlite://", creator=open_file)
