"""An editor for the rows of a ledger, as somebody with the file but without the key would use."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from privacy.ledger_entries import COLUMNS, Row
from privacy.ledger_file import read_rows

__all__ = ["ByteChange", "draw_change", "edit", "put_rows"]


@dataclass(frozen=True, kw_only=True)
class ByteChange:
    """One byte of one stored value, changed."""

    row: int
    column: str
    before: int | bytes
    after: int | bytes

    def put(self, path: Path) -> None:
        self._write(path, self.row, self.after)

    def take_back(self, path: Path) -> None:
        row = self.after if self.column == "id" else self.row
        self._write(path, row, self.before)

    def _write(self, path: Path, row: int | bytes, value: int | bytes) -> None:
        mark = "?" if self.column == "id" else "CAST(? AS TEXT)"
        with edit(path) as connection:
            connection.execute(
                f"UPDATE events SET {self.column} = {mark} WHERE id = ?", (value, row)
            )


def draw_change(rows: list[Row], rng: random.Random) -> ByteChange:
    """Draw a row, a column that holds something, a byte of it, and another value of that byte."""
    taken = {row[0] for row in rows}
    while True:
        row, column = rng.choice(rows), rng.randrange(len(COLUMNS))
        value = row[column]
        before = value.to_bytes(8, signed=True) if column == 0 else value.encode()
        if not before:
            continue
        place = rng.randrange(len(before))
        changed = bytearray(before)
        changed[place] = rng.choice([byte for byte in range(256) if byte != before[place]])
        if column != 0:
            return ByteChange(
                row=row[0], column=COLUMNS[column], before=before, after=bytes(changed)
            )
        if (number := int.from_bytes(changed, signed=True)) not in taken:
            return ByteChange(row=row[0], column="id", before=value, after=number)


@contextlib.contextmanager
def edit(path: Path) -> Iterator[sqlite3.Connection]:
    """Write past every rule of the file, and leave no log behind."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        with connection:
            for trigger in ("no_update", "no_delete", "only_append"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            yield connection


def put_rows(path: Path, rows: list[Row]) -> None:
    """Replace all rows."""
    with edit(path) as connection:
        connection.execute("DELETE FROM events")
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO events VALUES ({marks})", rows)
    assert read_rows(path) == rows
