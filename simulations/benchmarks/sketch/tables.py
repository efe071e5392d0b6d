"""Long tables with the columns of the shipped census table, written a piece at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from simulations.demos import DEFAULT_DEMO

ENDINGS = ("parquet", "csv", "sqlite")
TABLE = "records"
_PIECE = 100_000


def write_rows(path: Path, rows: int, *, seed: int = 0) -> None:
    """Write rows drawn with replacement; the format follows from the ending, one of ``ENDINGS``."""
    with as_file(files("simulations") / "data" / f"{DEFAULT_DEMO}.parquet") as shipped:
        table = pq.read_table(shipped).replace_schema_metadata()
    pieces = _draw(table, rows, np.random.default_rng(seed))
    match path.suffix:
        case ".parquet":
            with pq.ParquetWriter(path, table.schema) as file:
                for piece in pieces:
                    file.write_table(piece)
        case ".csv":
            with pa_csv.CSVWriter(path, table.schema) as file:
                for piece in pieces:
                    file.write_table(piece)
        case ".sqlite":
            _write_sqlite(path, table.schema.names, pieces)
        case ending:
            raise ValueError(f"path must end in one of {', '.join(ENDINGS)}, got {ending!r}.")


def _draw(table: pa.Table, rows: int, rng: np.random.Generator) -> Iterator[pa.Table]:
    for start in range(0, rows, _PIECE):
        yield table.take(rng.integers(0, len(table), min(_PIECE, rows - start)))


def _write_sqlite(path: Path, names: list[str], pieces: Iterator[pa.Table]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} ({columns})")
        for piece in pieces:
            rows = zip(*(column.to_pylist() for column in piece.columns), strict=True)
            connection.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", rows)
