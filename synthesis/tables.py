"""Tables on disk: CSV and Parquet, read without guessing and written the same every time."""

from __future__ import annotations

import gzip
import io
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthesis.errors import InputError

FORMATS = (".csv", ".csv.gz", ".parquet")

# Only what a number printer writes: '007' or '1 200' stay text, so that codes keep their zeros.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_AS_WRITTEN: dict[str, Any] = {"keep_default_na": False, "encoding": "utf-8-sig"}


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table from .csv, .csv.gz or .parquet.

    In CSV only an empty cell is missing: words such as NA, None or ? stay words. A column becomes
    numeric when all its cells are numbers as a computer writes them, and stays text otherwise.

    Raises:
        InputError: when the file is absent, has another format, cannot be read, or has no rows.
    """
    path = Path(path)
    kind = format_of(path, argument="data")
    table = _read(path, kind)
    if kind != ".parquet":
        table = pd.DataFrame({name: _with_type(table[name]) for name in table.columns})
    if len(table) == 0:
        raise InputError(
            f"data file {path} has no rows; hand over a table with at least one row below the "
            "column names",
            argument="data",
        )
    return table


def _read(path: Path, kind: str) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"data file {path} does not exist; check the path and the spelling", argument="data"
        )
    table = _read_parquet(path) if kind == ".parquet" else _read_csv(path)
    table.columns = pd.Index([str(name) for name in table.columns])
    check_names(table.columns.to_list(), path)
    return table


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table to .csv, .csv.gz or .parquet, whole or not at all; same table, same bytes.

    Raises:
        InputError: when the ending of the file name is none of these, or the folder is absent.
    """
    path = Path(path)
    kind = format_of(path, argument="out")
    if not path.parent.is_dir():
        raise InputError(
            f"folder {path.parent} does not exist; create it or choose another place",
            argument="out",
        )
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(_to_bytes(table, kind))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def format_of(path: Path, *, argument: str) -> str:
    """Return which of ``FORMATS`` a file's name ends in.

    Raises:
        InputError: if it is none of them.
    """
    for ending in (".csv.gz", ".csv", ".parquet"):
        if path.name.lower().endswith(ending):
            return ending
    raise InputError(
        f"{argument} file {path} must end in {', '.join(FORMATS)}; convert it to one of these",
        argument=argument,
    )


def check_names(names: list[str], path: Path) -> None:
    """Raise InputError if two columns of a file have the same name."""
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputError(
            f"data file {path} has more than one column named {repeated[0]!r}; rename one of them",
            argument="data",
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pq.read_table(path).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"data file {path} is not a Parquet file, or is damaged; export it again",
            argument="data",
        ) from error
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, **_AS_WRITTEN)
        cells = pd.read_csv(path, dtype=str, na_values=[""], **_AS_WRITTEN)
    except pd.errors.EmptyDataError as error:
        raise InputError(
            f"data file {path} is empty; the first line must name the columns", argument="data"
        ) from error
    except (pd.errors.ParserError, UnicodeDecodeError, EOFError, OSError) as error:
        raise InputError(
            f"data file {path} cannot be read as CSV in UTF-8 ({_first_line(error)}); export it "
            "again as UTF-8 with commas between the columns",
            argument="data",
        ) from error
    check_names(header.iloc[0].to_list(), path)  # pandas would rename the second to 'name.1'
    if len(cells.columns) == 1 and re.search("[;\t|]", str(cells.columns[0])):
        raise InputError(
            f"data file {path} has one column only and its name holds ; or | or a tab; export it "
            "again with commas between the columns",
            argument="data",
        )
    # A line with more cells than names would silently turn its first cells into row names.
    if not isinstance(cells.index, pd.RangeIndex):
        raise InputError(
            f"data file {path} has rows with more cells than there are column names; put quotes "
            "around text that holds a comma",
            argument="data",
        )
    frame: pd.DataFrame = cells
    return frame


def _with_type(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Make a text column numeric when every cell that is not empty is a plain number."""
    distinct = cells.dropna().unique()
    if len(distinct) == 0:
        return cells
    if all(_WHOLE.fullmatch(text) for text in distinct):
        whole = pd.to_numeric(cells.astype(object)).astype("Int64")
        return whole if cells.isna().any() else whole.astype("int64")
    if all(_DECIMAL.fullmatch(text) for text in distinct):
        return pd.to_numeric(cells.astype(object)).astype("float64")
    return cells


def _to_bytes(table: pd.DataFrame, kind: str) -> bytes:
    if kind == ".parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), buffer)
        return buffer.getvalue()
    text = table.to_csv(index=False, lineterminator="\n").encode()
    return gzip.compress(text, mtime=0) if kind == ".csv.gz" else text


def _first_line(error: BaseException) -> str:
    """Keep the parser's remark to its first line and never quote bytes of the file."""
    return "wrong encoding" if isinstance(error, UnicodeDecodeError) else type(error).__name__
