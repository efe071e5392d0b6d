"""Records in files: one CSV or Parquet file, or a folder of them, read part by part.

This is how a site reads its records. Every cell stands for a text by itself (``synthesis.cells``),
so that neither another record nor the file it lies in changes how a record is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthesis.cells import Names, to_records
from synthesis.csv_records import read_csv_batches
from synthesis.errors import InputError, SourceUnavailable
from synthesis.tables import check_names, format_of

__all__ = ["CHUNK", "read_batches", "read_record_parts", "read_records"]

CHUNK = 10_000
"""Most records held as Python's own values at once."""
BATCH = 65_536
"""Most records of a Parquet file held at once while reading, but for their codes."""
_BUFFER_BYTES = 2**20


def read_records(path: str | Path) -> pd.DataFrame:
    """Read a file or a folder so that no cell's value depends on another row; all cells are text.

    There may be no rows. A line of CSV with too many or too few cells is left out, for it must not
    decide whether anything is read.

    Raises:
        InputError: as ``read_record_parts``.
        SourceUnavailable: as ``read_record_parts``.
    """
    return pd.concat(list(read_record_parts(path)), ignore_index=True)


def read_record_parts(path: str | Path, needed: Names = None) -> Iterator[pd.DataFrame]:
    """Yield the records as tables of text of at most ``CHUNK`` rows; else as ``read_batches``."""
    for batch in read_batches(path, needed):
        yield from to_records(batch, CHUNK)


def read_batches(path: str | Path, needed: Names = None) -> Generator[pa.RecordBatch, None, None]:
    """Yield the records of a file or a folder, part by part; at least one batch.

    Args:
        path: a .csv, .csv.gz or .parquet file, or a folder of CSV or of Parquet files, which are
            read in the order of their names; files whose name begins with a dot are left out.
        needed: columns to keep; each file of a folder must have all of them.

    Raises:
        InputError: if there is no such file, a folder holds none or two kinds, or a file has
            another format, cannot be understood, must not be read, or lacks a column.
        SourceUnavailable: if the system fails to hand over a file that was there.
    """
    path = Path(path)
    if not path.is_dir():
        yield from _read_file(path, needed)
        return
    for file in _files_of(path):
        for part in _read_file(file, needed):
            _check_lacking(file, part, needed)
            yield part


def _files_of(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise _cannot_open(folder, error) from None
    files = [path for path in paths if path.is_file()]
    kinds = {format_of(path, argument="data").removesuffix(".gz") for path in files}
    if len(kinds) != 1:
        raise InputError(
            f"data folder {folder} must hold files of one kind, .csv or .parquet, and holds "
            f"{'both' if kinds else 'none'}; name another folder, or move what does not belong",
            argument="data",
        )
    return files


def _check_lacking(file: Path, part: pa.RecordBatch, needed: Names) -> None:
    for name in needed or ():
        if name not in part.schema.names:
            raise InputError(
                f"data file {file} lacks column {name!r}, which the schema names; every file of "
                "the folder must have all columns",
                argument="data",
            )


def _read_file(path: Path, needed: Names) -> Iterator[pa.RecordBatch]:
    kind = format_of(path, argument="data")
    if not path.is_file():
        raise InputError(
            f"data file {path} does not exist; check the path and the spelling", argument="data"
        )
    read = _read_parquet if kind == ".parquet" else read_csv_batches
    try:
        yield from read(path, needed)
    except (pa.ArrowException, EOFError, zlib.error, OSError) as error:
        raise _cannot_read(path, kind, error) from None


def _read_parquet(path: Path, needed: Names) -> Iterator[pa.RecordBatch]:
    """Yield the records of a Parquet file; pandas' index, if it holds one, is no column."""
    with path.open("rb") as opened, pq.ParquetFile(opened) as file:
        schema = file.schema_arrow
        check_names(schema.names, path)
        shown = {str(name) for name in schema.empty_table().to_pandas().columns}
        kept = [n for n in schema.names if n in shown and (needed is None or n in set(needed))]
        yield pa.RecordBatch.from_pylist([], schema=pa.schema([schema.field(n) for n in kept]))
        texts = [name for name in kept if pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(opened, read_dictionary=texts, buffer_size=_BUFFER_BYTES) as reader:
            for batch in reader.iter_batches(batch_size=BATCH, columns=kept):
                yield batch.select(kept)


def _cannot_read(path: Path, kind: str, error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:  # the system's, not a decoder's
        return _cannot_open(path, error)
    if kind == ".parquet":
        return InputError(
            f"data file {path} is not a Parquet file, or is damaged; export it again",
            argument="data",
        )
    return InputError(
        f"data file {path} cannot be read as CSV ({type(error).__name__}); its first line must "
        "name the columns",
        argument="data",
    )


def _cannot_open(path: Path, error: OSError) -> Exception:
    if isinstance(error, PermissionError):
        return InputError(
            f"{path} must be readable by the user this runs as; change its mode or owner",
            argument="data",
        )
    return SourceUnavailable(
        f"the data could not be read to the end, the system says {error.strerror!r}; try again "
        "when the disk or share that holds them is back"
    )
