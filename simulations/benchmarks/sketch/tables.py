"""Long tables with the columns of the shipped census table, written a piece at a time."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from simulations.demos import DEFAULT_DEMO

ENDINGS = ("parquet", "csv", "sqlite")
TABLE = "fedsynth_benchmark_records"
_PIECE = 100_000


def write_rows(path: Path, rows: int, *, seed: int = 0) -> None:
    """Write rows drawn with replacement; the format follows from the ending, one of ``ENDINGS``."""
    table, pieces = _draw(rows, seed)
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


@contextmanager
def rows_in_postgresql(url: str, rows: int, *, seed: int = 0) -> Iterator[None]:
    """Keep rows drawn with replacement in the table ``TABLE`` while the ``with`` block runs.

    Args:
        url: the database, ``postgresql://...``; the driver finds user and password in the
            environment, as ``PGUSER`` and ``PGPASSWORD``.
        rows: how many.
        seed: of the draw.

    Raises:
        psycopg.Error: if the user may not make the table, or somebody has one of this name.
    """
    import psycopg  # an optional extra

    table, pieces = _draw(rows, seed)
    columns = ", ".join(
        f'"{each.name}" {"bigint" if pa.types.is_integer(each.type) else "text"}'
        for each in table.schema
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE UNLOGGED TABLE {TABLE} ({columns})")
        try:
            with connection.cursor().copy(f"COPY {TABLE} FROM STDIN (FORMAT csv)") as copy:
                for piece in pieces:
                    text = io.BytesIO()
                    pa_csv.write_csv(piece, text, pa_csv.WriteOptions(include_header=False))
                    copy.write(text.getvalue())
            yield
        finally:
            connection.execute(f"DROP TABLE {TABLE}")


def _draw(rows: int, seed: int) -> tuple[pa.Table, Iterator[pa.Table]]:
    """Return the shipped table, and as many rows of it in pieces."""
    with as_file(files("simulations") / "data" / f"{DEFAULT_DEMO}.parquet") as shipped:
        table = pq.read_table(shipped).replace_schema_metadata()
    rng = np.random.default_rng(seed)
    sizes = (min(_PIECE, rows - start) for start in range(0, rows, _PIECE))
    return table, (table.take(rng.integers(0, len(table), size)) for size in sizes)


def _write_sqlite(path: Path, names: list[str], pieces: Iterator[pa.Table]) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    marks = ", ".join("?" * len(names))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} ({columns})")
        for piece in pieces:
            rows = zip(*(column.to_pylist() for column in piece.columns), strict=True)
            connection.executemany(f"INSERT INTO {TABLE} VALUES ({marks})", rows)
