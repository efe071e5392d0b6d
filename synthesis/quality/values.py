"""The raw values of one column, as codes of the schema or as numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthesis.errors import InputError
from synthesis.schema.columns import Column, Datetime, LevelColumn, NumberColumn
from synthesis.schema.reading import read_column

__all__ = ["Column", "LevelColumn", "NumberColumn", "bounds", "numbers", "read_codes"]


def read_codes(column: Column, cells: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    """Return the schema's code of every cell; a column without any value is fine.

    Raises:
        InputError: a cell breaks a rule of the schema; the cell itself is not quoted.
    """
    reading = read_column(column, cells)
    if reading.broken:
        counts = ", ".join(f"{rule}: {where.sum()}" for rule, where in reading.broken.items())
        raise InputError(
            f"column {column.name!r} must follow the schema to be compared, got {counts}; "
            f"correct the cells or the schema",
            argument=column.name,
        )
    return reading.codes


def numbers(column: NumberColumn, cells: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """Return cells as floats, missing as NaN; moments in time become seconds since 1970."""
    if isinstance(column, Datetime):
        moments = pd.to_datetime(cells, errors="coerce", utc=True, format="ISO8601")
        seconds = moments.dt.as_unit("s").astype("int64").to_numpy(dtype=np.float64)
        return np.where(moments.isna().to_numpy(dtype=bool), np.nan, seconds)
    parsed = pd.to_numeric(cells, errors="coerce")
    return np.asarray(parsed.to_numpy(dtype=np.float64, na_value=np.nan))


def bounds(column: NumberColumn) -> tuple[float, float]:
    """Return the public bounds on the scale of `numbers`."""
    low, high = column.grid.to_values(np.array([0, column.grid.count - 1]))
    return float(low), float(high)
