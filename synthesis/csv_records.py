"""CSV as a site reads it: line by line, so that no record decides whether or how others are read.

A line with more or fewer cells than there are names does not take part, nor one whose quotes do not
close before it ends; a byte that is no UTF-8 spoils its own cell only. So a record must stand on
one line: text with line breaks belongs in Parquet.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import pandas as pd

from synthesis.cells import make_records

__all__ = ["read_csv_records"]

csv.field_size_limit(sys.maxsize)  # one huge cell must not stop the reading of all others


def read_csv_records(path: Path, chunk: int) -> Iterator[pd.DataFrame]:
    """Yield the records of a CSV file as text, empty cells missing; at least one table.

    Args:
        path: the file, compressed if its name ends in .gz.
        chunk: most records of one table.

    Raises:
        EOFError: if there is no line at all, or a compressed file ends too early.
        OSError: if the file cannot be read.
    """
    with _open(path) as file:
        names = _read_line(next(iter(file), ""))
        if not names:
            raise EOFError("the first line must name the columns")
        records = _whole(file, len(names))
        is_more = True
        while is_more:
            rows = list(islice(records, chunk))
            yield make_records(names, zip(*rows, strict=True) if rows else [()] * len(names))
            is_more = len(rows) == chunk


def _whole(lines: Iterable[str], width: int) -> Iterator[list[str | None]]:
    for line in lines:
        cells = _read_line(line)
        if len(cells) == width:
            yield [cell or None for cell in cells]


def _read_line(line: str) -> list[str]:
    """Return the cells of one line; none if it cannot be read by itself."""
    try:
        return next(csv.reader((line,), strict=True), [])
    except csv.Error:
        return []


def _open(path: Path) -> IO[str]:
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    file: IO[str] = opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return file
