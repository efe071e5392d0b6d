"""Cells as a site reads them: text or nothing, whatever held them.

A CSV file knows text, Parquet and databases know types, and the same record must mean the same in
all three. So every value stands for the text that a CSV file would hold, each by itself: no type is
chosen for a whole column, and none for a part of it.

While they are read, cells lie in Arrow arrays, as the source gave them; what they mean is asked
once for every distinct value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["Names", "make_batch", "pick", "to_dictionary", "to_records", "to_text", "to_texts"]

Names = Sequence[str] | None
"""Names of the columns that are needed, or None for all."""

_ARROW_TYPES: dict[type, pa.DataType] = {int: pa.int64(), float: pa.float64(), str: pa.string()}


def to_text(value: object) -> str | None:
    """Return the text that stands for one value, or None for an empty one.

    >>> [to_text(value) for value in (7, 7.0, 1e-7, Decimal("1E+2"), True, float("nan"))]
    ['7', '7.0', '0.0000001', '100', 'True', None]
    """
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, Decimal):
        return None if value.is_nan() else f"{value:f}"
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else _float_to_text(value)
    return str(value)


def make_batch(names: Sequence[str], rows: Sequence[Sequence[object]]) -> pa.RecordBatch:
    """Return records from rows of Python values, one column for each name."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.RecordBatch.from_arrays([_to_array(cells) for cells in columns], list(names))


def to_dictionary(cells: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the distinct values of a column, and the place of each cell's among them.

    Places are null where a cell is empty.
    """
    if not pa.types.is_dictionary(cells.type):
        try:
            cells = cells.dictionary_encode()
        except pa.ArrowNotImplementedError:  # lists, structures and the like
            cells = pa.array(to_texts(cells), pa.string()).dictionary_encode()
    return cells.dictionary, cells.indices


def to_texts(values: pa.Array) -> list[str | None]:
    """Return the text of every value of an array; whole numbers never turn into floats."""
    return list(map(to_text, values.to_pandas(integer_object_nulls=True).tolist()))


def to_records(batch: pa.RecordBatch, rows: int) -> Iterator[pd.DataFrame]:
    """Yield the same records as tables of text with at most so many rows; at least one table."""
    for start in range(0, max(batch.num_rows, 1), rows):
        part = batch.slice(start, rows)
        series = [
            pd.Series(_to_cells(cells), name=name, dtype="str")
            for name, cells in zip(part.schema.names, part.columns, strict=True)
        ]
        yield pd.concat(series, axis=1) if series else pd.DataFrame()


def pick(batch: pa.RecordBatch, needed: Names) -> pa.RecordBatch:
    """Return only the columns that are needed; one that is absent stays absent."""
    if needed is None:
        return batch
    return batch.select([name for name in batch.schema.names if name in set(needed)])


def _to_cells(cells: pa.Array) -> list[str | None]:
    values, places = to_dictionary(cells)
    texts = to_texts(values)
    return [None if place is None else texts[place] for place in places.to_pylist()]


def _to_array(cells: Sequence[object]) -> pa.Array:
    """Return a column whose cells all have one type as it is, and any other as texts."""
    kinds = set(map(type, cells)) - {type(None)}
    known = _ARROW_TYPES.get(kinds.pop()) if len(kinds) == 1 else None
    if known is not None:
        with suppress(OverflowError):  # a whole number of more than 64 bits
            return pa.array(cells, known)
    return pa.array(map(to_text, cells), pa.string())


def _float_to_text(value: float | np.floating[Any]) -> str:
    text = str(value)  # the shortest text that reads back to the same number
    return np.format_float_positional(value, trim="0") if "e" in text else text
