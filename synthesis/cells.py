"""Cells as a site reads them: text or nothing, whatever held them.

A CSV file knows text, Parquet and databases know types, and the same record must mean the same in
all three. So every value becomes the text that a CSV file would hold, each by itself: no type is
chosen for a whole column, and none for a part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Names", "make_records", "pick", "to_text"]

Names = Sequence[str] | None
"""Names of the columns that are needed, or None for all."""


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


def make_records(names: Iterable[str], columns: Iterable[Iterable[object]]) -> pd.DataFrame:
    """Return records with these columns, all of them text."""
    series = [
        pd.Series(list(map(to_text, cells)), name=name, dtype="str")
        for name, cells in zip(names, columns, strict=True)
    ]
    return pd.concat(series, axis=1) if series else pd.DataFrame()


def pick(records: pd.DataFrame, needed: Names) -> pd.DataFrame:
    """Return only the columns that are needed; one that is absent stays absent."""
    if needed is None:
        return records
    return records[[name for name in records.columns if name in set(needed)]]


def _float_to_text(value: float | np.floating[Any]) -> str:
    text = str(value)  # the shortest text that reads back to the same number
    return np.format_float_positional(value, trim="0") if "e" in text else text
