"""The file under a ledger: SQLite, durable before a call returns, append-only.

Commits are flushed to the disk (WAL with synchronous=FULL). Every operation opens and closes the
file, so a ledger may be shared by threads and processes, and between operations it is one file.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from privacy.errors import LedgerBroken
from privacy.ledger_entries import COLUMNS, Row

__all__ = [
    "append",
    "create_file",
    "has_log",
    "naming",
    "read_rows",
    "select_rows",
    "transaction",
]

BUSY_SECONDS = 60.0

_SCHEMA = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        study TEXT NOT NULL,
        reservation TEXT NOT NULL,
        state TEXT NOT NULL CHECK (
            state IN ('opened', 'policy', 'reserved', 'running', 'done', 'failed')
        ),
        mechanism TEXT NOT NULL,
        note TEXT NOT NULL,
        details TEXT NOT NULL,
        config_hash TEXT NOT NULL,
        code_version TEXT NOT NULL,
        libraries TEXT NOT NULL,
        digest TEXT NOT NULL,
        signature TEXT NOT NULL
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
_COLUMNS = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO events ({_COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS))})"


def create_file(path: Path, opening: Row) -> None:
    """Create the file with its opening row; a file left empty by a crash is taken over.

    Raises:
        ValueError: if the path already holds something.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # an open ledger must not be closed: that would drop its locks
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with _begin(path) as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise ValueError(f"path must not exist yet, got {path}; use Ledger.open")
            for statement in _SCHEMA:
                connection.execute(statement)
            append(connection, [opening])
    except sqlite3.DatabaseError as error:
        raise ValueError(f"path must not exist yet, got {path} ({error})") from error
    _flush_folder(path.parent)


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the ledger alone: yield a connection; commit, or undo on any exception.

    Raises:
        ValueError: if the file is missing or is not a ledger.
        TimeoutError: if another process holds the ledger for a minute.
    """
    _check_exists(path)
    with naming(path), _begin(path) as connection:
        yield connection


def append(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add sealed rows at the end."""
    connection.executemany(_INSERT, rows)


def select_rows(connection: sqlite3.Connection, *, after: int = 0) -> list[Row]:
    """Return the stored rows behind the given position, in order; with 0, every row there is."""
    if after == 0:  # also rows whose id was altered to 0 or below
        return connection.execute(f"SELECT {_COLUMNS} FROM events ORDER BY id").fetchall()
    query = f"SELECT {_COLUMNS} FROM events WHERE id > ? ORDER BY id"
    return connection.execute(query, (after,)).fetchall()


def read_rows(path: Path, *, after: int = 0) -> list[Row]:
    """Return the stored rows behind the given position; nothing is written.

    Raises:
        ValueError: if the file is missing, or is not a ledger, or cannot be read where it is.
    """
    _check_exists(path)
    try:
        with _connect(path, "mode=rw") as connection:
            connection.execute("PRAGMA query_only = ON")
            return select_rows(connection, after=after)
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise
    return _read_where_nobody_writes(path, after)


def _read_where_nobody_writes(path: Path, after: int) -> list[Row]:
    """Read in a folder without write permission, which has no room for a log."""
    if has_log(path):
        raise ValueError(
            f"ledger {path} has its latest entries in the log beside it, which cannot be read in a "
            "folder without write permission; copy both files to another folder"
        )
    with _connect(path, "mode=ro&immutable=1") as connection:
        return select_rows(connection, after=after)


def has_log(path: Path) -> bool:
    """Return whether rows may lie in a log (WAL) beside the file that are not in the file yet."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn SQLite's word on a foreign or broken file into a sentence that names the file."""
    try:
        yield
    except LedgerBroken as error:
        raise LedgerBroken(f"ledger {path} cannot be trusted: {error}") from error
    except UnicodeDecodeError as error:
        raise LedgerBroken(f"path must be a ledger, got {path}: {error}") from error
    except sqlite3.DatabaseError as error:
        is_foreign = "no such table" in str(error) or "no such column" in str(error)
        name = getattr(error, "sqlite_errorname", "")
        if is_foreign or name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise LedgerBroken(f"path must be a ledger, got {path}: {error}") from error
        raise


@contextmanager
def _connect(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.resolve().as_uri()}?{options}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    # A broken letter must reach the digest, which it cannot match, instead of stopping the reading.
    connection.text_factory = lambda text: text.decode(errors="surrogateescape")
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
            if connection.in_transaction:  # a full disk has undone it already
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


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
