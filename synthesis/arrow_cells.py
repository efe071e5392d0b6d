"""Placed cells as Arrow columns and as lines of CSV, without a Python object for any cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthesis.encoding import Placed, to_frame
from synthesis.schema.columns import Column, Continuous, Datetime, LevelColumn
from synthesis.schema.schema import Schema

_TEXT: Final = pa.large_string()


def to_batch(schema: Schema, placed: Sequence[Placed]) -> pa.RecordBatch:
    """Return cells as a batch with the fields of ``arrow_schema``: levels as a dictionary."""
    pairs = zip(schema.columns, placed, strict=True)
    arrays = [_to_array(column, each) for column, each in pairs]
    return pa.RecordBatch.from_arrays(arrays, names=list(schema.names))


def arrow_schema(schema: Schema) -> pa.Schema:
    """Return names, types and what tells pandas which types ``decode`` gives."""
    none = Placed(places=np.empty(0, dtype=np.int64), missing=np.empty(0, dtype=bool))
    frame = to_frame(schema, [none] * len(schema.columns))
    metadata = pa.Schema.from_pandas(frame, preserve_index=False).metadata
    fields = [(column.name, _to_array(column, none).type) for column in schema.columns]
    return pa.schema(fields, metadata=metadata)


def to_csv(schema: Schema, placed: Sequence[Placed]) -> bytes:
    """Return cells as lines of CSV, without the names; a missing cell is empty."""
    pairs = zip(schema.columns, placed, strict=True)
    texts = [_to_texts(column, each) for column, each in pairs]
    texts[-1] = _join([texts[-1], pa.scalar("\n", _TEXT)], "")
    lines = _join(texts, ",")
    # The cells of a text column lie one after the other in memory: that is the text of the file.
    _, offsets, text = lines.buffers()
    length = np.frombuffer(offsets, np.int64)[len(lines)] if len(lines) else 0
    return bytes(text[:length]) if length else b""


def _join(texts: Sequence[pa.Array | pa.Scalar], between: str) -> pa.Array:
    return pc.binary_join_element_wise(
        *texts, pa.scalar(between, _TEXT), null_handling="replace", null_replacement=""
    )


def csv_header(schema: Schema) -> bytes:
    """Return the line of names."""
    return _csv_line(schema.names).encode()


def _csv_line(words: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(words)
    return text.getvalue()


def _to_array(column: Column, placed: Placed) -> pa.Array:
    if isinstance(column, LevelColumn):
        indices = pa.array(placed.places.astype(np.int16), mask=_mask(column, placed))
        return pa.DictionaryArray.from_arrays(indices, pa.array(column.levels, pa.string()))
    units = _units(column, placed)
    mask = _mask(column, placed)
    if isinstance(column, Continuous):
        return pa.array(units / column.grid.scale, mask=mask)
    if isinstance(column, Datetime):
        return pa.array(units.astype("datetime64[s]"), mask=mask)
    return pa.array(units, mask=mask)


def _to_texts(column: Column, placed: Placed) -> pa.Array:
    mask = _mask(column, placed)
    if isinstance(column, LevelColumn):
        quoted = [_csv_line([level, ""])[:-2] for level in column.levels]
        return pa.array(quoted, _TEXT).take(pa.array(placed.places, mask=mask))
    units = pa.array(_units(column, placed), mask=mask)
    if isinstance(column, Continuous):
        # Exactly as many digits as are declared: a decimal is a whole number with a point in it.
        whole = units.cast(pa.decimal128(19, 0))
        return whole.view(pa.decimal128(19, column.decimals)).cast(_TEXT)
    if isinstance(column, Datetime):
        moments = units.view(pa.timestamp("s"))
        is_day = column.resolution == "day"
        return (moments.cast(pa.date32()) if is_day else moments).cast(_TEXT)
    return units.cast(_TEXT)


def _units(column: Column, placed: Placed) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    assert not isinstance(column, LevelColumn)
    return column.grid.to_units(np.where(placed.missing, 0, placed.places))


def _mask(column: Column, placed: Placed) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    return placed.missing if column.missing else None
