"""The file under a ledger: SQLite, durable before a call returns, append-only.

Commits are flushed to the disk (WAL with synchronous=FULL). Every operation opens and closes the
file, so a ledger may be shared by threads and processes, and between operations it is one file.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from privacy.ledger_entries import (
    COLUMNS,
    NO_DIGEST,
    LedgerEntry,
    compute_digest,
    parse_entries,
    parse_header,
)

__all__ = ["append", "create_file", "read_entries", "transaction"]

BUSY_SECONDS = 60.0

_SCHEMA = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        study TEXT NOT NULL,
        reservation TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('opened', 'reserved', 'running', 'done', 'failed')),
        mechanism TEXT NOT NULL,
        note TEXT NOT NULL,
        details TEXT NOT NULL,
        config_hash TEXT NOT NULL,
        code_version TEXT NOT NULL,
        libraries TEXT NOT NULL,
        digest TEXT NOT NULL
    )
    """,
    """
    CREATE TRIGGER no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'a ledger is append-only'); END
    """,
    """
    CREATE TRIGGER no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'a ledger is append-only'); END
    """,
    # INSERT OR REPLACE removes rows without firing the trigger above.
    """
    CREATE TRIGGER only_append BEFORE INSERT ON events
    WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM events)
    BEGIN SELECT RAISE(ABORT, 'a ledger is append-only'); END
    """,
)


def create_file(path: Path, opening: LedgerEntry) -> None:
    """Create the file with its opening entry; a file left empty by a crash is taken over.

    Raises:
        ValueError: if the path already holds something.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        with _begin(path) as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise ValueError(f"path must not exist yet, got {path}; use Ledger.open")
            for statement in _SCHEMA:
                connection.execute(statement)
            append(connection, (), [opening])
    except sqlite3.DatabaseError as error:
        raise ValueError(f"path must not exist yet, got {path} ({error})") from error
    _flush_folder(path.parent)


@contextmanager
def transaction(path: Path) -> Iterator[tuple[sqlite3.Connection, tuple[LedgerEntry, ...]]]:
    """Hold the ledger alone: yield a connection and all entries; commit, or undo on any exception.

    Raises:
        ValueError: if the file is missing, is not a ledger or was altered.
        TimeoutError: if another process holds the ledger for a minute.
    """
    _check_exists(path)
    with _naming(path), _begin(path) as connection:
        yield connection, _select(connection, path)


def append(
    connection: sqlite3.Connection,
    entries: Sequence[LedgerEntry],
    new: Sequence[LedgerEntry],
) -> None:
    """Add new entries behind those that `transaction` yielded, setting their ids and digests."""
    previous = entries[-1].digest if entries else NO_DIGEST
    marks = ", ".join(f":{column}" for column in COLUMNS)
    for position, entry in enumerate(new, start=len(entries) + 1):
        placed = replace(entry, id=position)
        previous = compute_digest(placed, previous)
        row = replace(placed, digest=previous).to_row()
        connection.execute(f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({marks})", row)


def read_entries(path: Path) -> tuple[LedgerEntry, ...]:
    """Return all entries after checking their chain; nothing is written.

    Raises:
        ValueError: if the file is missing, is not a ledger or was altered.
    """
    _check_exists(path)
    with _naming(path):
        try:
            with _connect(path, "mode=rw") as connection:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()
                return _select(connection, path)
        except sqlite3.OperationalError:  # a folder without write permission has no room for a WAL
            with _connect(path, "mode=ro&immutable=1") as connection:
                return _select(connection, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn SQLite's word on a foreign or broken file into a sentence that names the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise ValueError(f"path must be a ledger, got {path}: {error}") from error
        raise


@contextmanager
def _connect(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.resolve().as_uri()}?{options}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _begin(path: Path) -> Iterator[sqlite3.Connection]:
    with _connect(path, "mode=rw") as connection:
        # Setting WAL fails while others hold the file; then it is set by them, or the next time,
        # and a rollback journal is as durable.
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise TimeoutError(f"ledger {path} cannot be locked for writing: {error}") from error
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _select(connection: sqlite3.Connection, path: Path) -> tuple[LedgerEntry, ...]:
    try:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY id").fetchall()
    except sqlite3.OperationalError as error:
        raise ValueError(f"path must be a ledger, got {path}: {error}") from error
    try:
        entries = parse_entries(rows)
        parse_header(entries)
    except ValueError as error:
        raise ValueError(f"ledger {path} cannot be trusted: {error}") from error
    return entries


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"path must be an existing ledger, got {path}; use Ledger.create")


def _flush_folder(folder: Path) -> None:
    """Make the new file's name durable too, where folders can be flushed."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
