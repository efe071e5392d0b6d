"""CSV as a site reads it: line by line, so that no record decides whether or how others are read.

A line with more or fewer cells than there are names does not take part, nor one whose quotes do not
close before it ends; a byte that is no UTF-8 spoils its own cell only. So a record must stand on
one line: text with line breaks belongs in Parquet.

Most lines are plain: no cell holds a quote but those around it. A block of such lines goes to
Arrow's reader, which reads them just so and much faster; any other block is read line by line.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from synthesis.cells import Names, make_batch
from synthesis.tables import check_names

__all__ = ["read_csv_batches"]

BLOCK_BYTES = 2**20
"""What is read at once; a block ends where a line ends."""

_MARK = b"\xef\xbb\xbf"
_COMMA, _QUOTE, _LINE_FEED, _RETURN = b',"\n\r'

csv.field_size_limit(sys.maxsize)  # one huge cell must not stop the reading of all others


def read_csv_batches(path: Path, needed: Names = None) -> Iterator[pa.RecordBatch]:
    """Yield the records of a CSV file as text, empty cells missing; at least one batch.

    Args:
        path: the file, compressed if its name ends in .gz.
        needed: columns to keep.

    Raises:
        InputError: if two columns have the same name.
        EOFError: if there is no line at all, or a compressed file ends too early.
        OSError: if the file cannot be read.
    """
    with _open(path) as file:
        blocks = _whole(file)
        names, first = _take_names(next(blocks, b""))
        check_names(names, path)
        columns = [i for i, name in enumerate(names) if needed is None or name in set(needed)]
        kept = [names[i] for i in columns]
        is_empty = True
        for block in chain([first], blocks):
            batch = _read_block(block, len(names), columns).rename_columns(kept)
            if batch.num_rows:
                is_empty = False
                yield batch
        if is_empty:
            yield make_batch(kept, [])


def _whole(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file in blocks, none of them cut; all in UTF-8, without its mark."""
    begun: list[bytes] = []
    mark = _MARK
    while content := file.read(BLOCK_BYTES):
        end = max(content.rfind(b"\n"), content.rfind(b"\r", 0, -1)) + 1
        if end:
            yield _to_utf8(b"".join([*begun, content[:end]]).removeprefix(mark))
            begun, mark = [], b""
        begun.append(content[end:])
    if last := b"".join(begun):
        yield _to_utf8(last.removeprefix(mark))


def _to_utf8(block: bytes) -> bytes:
    return block if block.isascii() else block.decode("utf-8", "replace").encode("utf-8")


def _take_names(block: bytes) -> tuple[list[str], bytes]:
    """Return the names that the first line of a file holds, and what follows that line."""
    lines = io.StringIO(block.decode("utf-8"), newline="")
    names = _read_line(lines.readline())
    if not names:
        raise EOFError("the first line must name the columns")
    return names, lines.read().encode("utf-8")


def _read_block(block: bytes, width: int, columns: list[int]) -> pa.RecordBatch:
    """Return some columns, named by their numbers, of the lines that have ``width`` cells."""
    if columns and block and _is_plain(block):
        with suppress(pa.ArrowInvalid):  # no line may decide whether the others are read
            return _read_plain(block, width, columns)
    lines = io.StringIO(block.decode("utf-8"), newline="")
    rows = (cells for cells in map(_read_line, lines) if len(cells) == width)
    return make_batch(
        [str(i) for i in columns], [[cells[i] or None for i in columns] for cells in rows]
    )


def _read_plain(block: bytes, width: int, columns: list[int]) -> pa.RecordBatch:
    names = [str(i) for i in columns]
    table = pa_csv.read_csv(
        pa.py_buffer(block),
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=len(block) + 1,
            column_names=[str(i) for i in range(width)],
        ),
        parse_options=pa_csv.ParseOptions(invalid_row_handler=lambda row: "skip"),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string())),
            include_columns=names,
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return table.combine_chunks().to_batches()[0] if len(table) else make_batch(names, [])


def _is_plain(block: bytes) -> bool:
    """Return whether quotes stand around whole cells only, none in them, none open at a line's end.

    Lines must end in a line feed, with or without a carriage return before it.
    """
    if block.count(b"\r") != block.count(b"\r\n") or b"\0" in block:
        return False
    if block.startswith(_MARK):  # inside a file it is a character like others
        return False
    codes = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    if not len(quotes):
        return True
    if len(quotes) % 2:
        return False
    padded = np.concatenate([[_LINE_FEED], codes, [_LINE_FEED]]).astype(np.uint8)
    before, after = padded[quotes[::2]], padded[quotes[1::2] + 2]
    ends = np.flatnonzero(codes == _LINE_FEED)
    return bool(
        _is_one_of(before, _COMMA, _LINE_FEED).all()
        and _is_one_of(after, _COMMA, _LINE_FEED, _RETURN).all()
        and not (np.searchsorted(quotes, ends) % 2).any()
    )


def _is_one_of(codes: NDArray[np.uint8], *wanted: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.logical_or.reduce([codes == each for each in wanted])
    return found


def _read_line(line: str) -> list[str]:
    """Return the cells of one line; none if it cannot be read by itself."""
    try:
        return next(csv.reader((line,), strict=True), [])
    except csv.Error:
        return []


def _open(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")
