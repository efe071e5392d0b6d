"""Reading one data column by the schema: which code each cell has, and which rule it breaks."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthesis.schema.columns import (
    Boolean,
    Column,
    Continuous,
    Datetime,
    Integer,
    LevelColumn,
    to_number,
)

Flags = NDArray[np.bool_]
BROKEN = -1
_TRUTH = {"False": 0, "True": 1}  # how Parquet and databases say it, whatever the words are
_FINER = re.compile(r"([.,][0-9]{6})[0-9]+")


class Rule(StrEnum):
    """The rules a table can break; the value is how reports name the rule."""

    EMPTY_TABLE = "empty table"
    MISSING_COLUMN = "missing column"
    UNKNOWN_COLUMN = "unknown column"
    DUPLICATE_COLUMN = "duplicate column"
    WRONG_TYPE = "wrong type"
    UNKNOWN_CATEGORY = "unknown category"
    OUT_OF_BOUNDS = "out of bounds"
    OFF_GRID = "not on the resolution grid"
    UNEXPECTED_MISSING = "unexpected missing value"
    ALL_MISSING = "all values missing"
    ONE_CLASS = "label with one class"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """The codes of one data column, and the cells that break a rule.

    Attributes:
        codes: shape `(n_rows,)`, -1 where a rule is broken.
        positions: places on the column's grid (of levels: the codes), -1 where there is none.
        missing: which cells are empty.
        broken: for every rule that is broken at all, where.
    """

    codes: NDArray[np.int64]
    positions: NDArray[np.int64]
    missing: Flags
    broken: dict[Rule, Flags]


def read_column(column: Column, cells: pd.Series[Any]) -> Reading:
    """Read a data column by its declaration.

    Empty cells are None, NaN, NaT and text of nothing but spaces. Numbers and dates may come as
    text; categories may come as numbers (`1` and `1.0` both match the category "1").
    """
    if isinstance(column, LevelColumn):
        positions, missing, flags = _read_levels(column, cells)
        codes = positions.copy()
    else:
        positions, missing, flags = _read_numbers(column, cells)
        codes = positions.copy()
        codes[positions >= 0] = column.grid.encode(positions[positions >= 0])
    if column.missing_code is None:
        flags[Rule.UNEXPECTED_MISSING] = missing
    else:
        codes[missing] = column.missing_code
    broken = {rule: flag for rule, flag in flags.items() if flag.any()}
    for flag in broken.values():
        codes[flag] = BROKEN
    return Reading(codes=codes, positions=positions, missing=missing, broken=broken)


Raw = tuple[NDArray[np.int64], Flags, dict[Rule, Flags]]


def _read_levels(column: LevelColumn, cells: pd.Series[Any]) -> Raw:
    """Look every distinct value up once, then spread the answer over the rows."""
    places, distinct = pd.factorize(cells)
    blank = len(column.levels)
    finder = _LevelFinder(column)
    # The last entry serves pandas' place -1, which marks an empty cell.
    found = np.array([*(finder.find(value) for value in distinct), blank], dtype=np.int64)
    codes = found[places]
    return codes, codes == blank, {Rule.UNKNOWN_CATEGORY: codes == BROKEN}


class _LevelFinder:
    def __init__(self, column: LevelColumn) -> None:
        self._is_boolean = isinstance(column, Boolean)
        self._blank = len(column.levels)
        self._by_text = {level: code for code, level in enumerate(column.levels)}
        self._by_number: dict[float, int] = {}
        for level, code in self._by_text.items():
            number = to_number(level)
            if number is not None:
                self._by_number.setdefault(number, code)

    def find(self, value: Hashable) -> int:
        """Return the code of a value, the blank code, or BROKEN."""
        if isinstance(value, str):
            return self._find_text(value) if value.strip() else self._blank
        if isinstance(value, (bool, np.bool_)):
            return int(value) if self._is_boolean else self._by_text.get(str(value), BROKEN)
        if isinstance(value, (int, float, np.number)):
            return self._by_number.get(float(value), BROKEN)
        return self._by_text.get(str(value), BROKEN)

    def _find_text(self, text: str) -> int:
        """Match text as it is, else as what it stands for: the column's type must not matter."""
        if self._is_boolean and text not in self._by_text and text in _TRUTH:
            return _TRUTH[text]
        if text in self._by_text or not self._by_number:
            return self._by_text.get(text, BROKEN)
        number = to_number(text)
        return BROKEN if number is None else self._by_number.get(number, BROKEN)


def _read_numbers(column: Integer | Continuous | Datetime, cells: pd.Series[Any]) -> Raw:
    if isinstance(column, Datetime):
        values, missing = _to_seconds(cells)
        exact = values
    else:
        values, missing = _to_floats(cells)
        exact = values * column.grid.scale
    wrong = np.isnan(values) & ~missing
    grid = column.grid
    with np.errstate(invalid="ignore"):
        units = np.rint(exact) if isinstance(column, Continuous) else exact
        steps = (units - grid.origin) / grid.step
        outside = (steps < 0) | (steps > grid.count - 1)
        off = (steps != np.floor(steps)) & ~outside & ~missing & ~wrong
    usable = ~(missing | wrong | outside | off)
    positions = np.full(len(values), BROKEN, dtype=np.int64)
    positions[usable] = steps[usable].astype(np.int64)
    flags = {Rule.WRONG_TYPE: wrong, Rule.OUT_OF_BOUNDS: outside, Rule.OFF_GRID: off}
    return positions, missing, flags


def _to_floats(cells: pd.Series[Any]) -> tuple[NDArray[np.float64], Flags]:
    """Return the cells as numbers, NaN where there is none, and which cells are empty."""
    missing = is_blank(cells)
    if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        return np.full(len(cells), np.nan), missing
    if not pd.api.types.is_numeric_dtype(cells):
        cells = pd.to_numeric(cells.astype(object).mask(missing), errors="coerce")
    return cells.to_numpy(dtype=np.float64, na_value=np.nan), missing


def _to_seconds(cells: pd.Series[Any]) -> tuple[NDArray[np.float64], Flags]:
    """Return the cells as seconds since 1970, NaN where there is no date, and which are empty."""
    missing = is_blank(cells)
    if pd.api.types.is_numeric_dtype(cells):
        return np.full(len(cells), np.nan), missing
    if not pd.api.types.is_datetime64_any_dtype(cells):
        cells = cells.astype(object).mask(missing).map(_cut_fraction)
    moments = pd.to_datetime(cells, errors="coerce", utc=True, format="ISO8601")
    micro = moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    seconds = micro.astype(np.int64) / 1e6
    return np.where(np.isnat(micro), np.nan, seconds), missing


def _cut_fraction(cell: object) -> object:
    """Leave out what is finer than a microsecond, or pandas would read all cells at that scale."""
    return _FINER.sub(r"\1", cell) if isinstance(cell, str) else cell


def is_blank(cells: pd.Series[Any]) -> Flags:
    """Return which cells are empty: None, NaN, NaT, or text of nothing but spaces."""
    empty = cells.isna().to_numpy(dtype=bool)
    if pd.api.types.is_string_dtype(cells) or cells.dtype == object:
        places, distinct = pd.factorize(cells)
        blank = [isinstance(value, str) and not value.strip() for value in distinct]
        empty = empty | np.array([*blank, True], dtype=bool)[places]
    return empty
