"""Total variation distances between the marginals of two tables, on public cells."""

from collections.abc import Iterator
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthesis.errors import InputError
from synthesis.quality.values import Column, LevelColumn, NumberColumn, bounds, numbers, read_codes
from synthesis.schema import Schema

BINS = 20
"""Equal-width bins on the public bounds, for every column of numbers or dates."""

_DENSE_CELLS = 1 << 22


def cell_codes(column: Column, values: "pd.Series[Any]") -> tuple[npt.NDArray[np.int64], int]:
    """Return the cell of each value and the number of cells; missing is the last cell."""
    if isinstance(column, LevelColumn):
        return read_codes(column, values), len(column.levels) + 1
    return _bin_codes(column, values), BINS + 1


def table_codes(
    schema: Schema, table: pd.DataFrame
) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
    """Return cells of shape (n_rows, n_columns) and the number of cells of each column.

    Raises:
        InputError: the table is empty, lacks a column, or holds an undeclared category.
    """
    check_comparable(schema, table)
    coded = [cell_codes(column, table[column.name]) for column in schema.columns]
    return np.column_stack([codes for codes, _ in coded]), tuple(size for _, size in coded)


def check_comparable(schema: Schema, table: pd.DataFrame) -> None:
    """Raise InputError unless the table has rows and every column of the schema."""
    absent = [name for name in schema.names if name not in table.columns]
    if absent:
        raise InputError(
            f"table must have every column of the schema, it lacks {absent}; "
            f"compare tables made under the same schema",
            argument="table",
        )
    if table.empty:
        raise InputError(
            "table must have at least one row to be compared, got none; sample more rows",
            argument="table",
        )


def marginal_distance(schema: Schema, a: pd.DataFrame, b: pd.DataFrame, way: int) -> float:
    """Return the mean total variation distance over all `way`-way marginals, in [0, 1].

    Args:
        schema: public description of both tables.
        a: one table.
        b: the other table; the distance is symmetric.
        way: how many columns a marginal joins, from 1 to the number of columns.

    Raises:
        InputError: a table cannot be compared, or `way` is out of range.
    """
    if not 1 <= way <= len(schema.columns):
        raise InputError(
            f"way must be between 1 and {len(schema.columns)} columns, got {way}",
            argument="way",
        )
    return float(np.mean([distance for _, distance in _distances(schema, a, b, way)]))


def pairwise_distances(schema: Schema, a: pd.DataFrame, b: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return all two-way distances, shape (n_columns, n_columns); one-way on the diagonal."""
    matrix = np.zeros((len(schema.columns), len(schema.columns)))
    for (column,), distance in _distances(schema, a, b, 1):
        matrix[column, column] = distance
    for (row, column), distance in _distances(schema, a, b, 2):
        matrix[row, column] = matrix[column, row] = distance
    return matrix


def _distances(
    schema: Schema, a: pd.DataFrame, b: pd.DataFrame, way: int
) -> Iterator[tuple[tuple[int, ...], float]]:
    codes_a, sizes = table_codes(schema, a)
    codes_b, _ = table_codes(schema, b)
    for columns in combinations(range(len(sizes)), way):
        shape = tuple(sizes[column] for column in columns)
        cells_a = _joint(codes_a[:, columns], shape)
        cells_b = _joint(codes_b[:, columns], shape)
        yield columns, _total_variation(cells_a, cells_b, prod(shape))


def _joint(codes: npt.NDArray[np.int64], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    joint = np.zeros(len(codes), dtype=np.int64)
    for position, size in enumerate(shape):
        joint = joint * size + codes[:, position]
    return joint


def _total_variation(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], num_cells: int) -> float:
    if num_cells > _DENSE_CELLS:  # so many cells that most stay empty: number those in use
        _, joint = np.unique(np.concatenate([a, b]), return_inverse=True)
        a, b, num_cells = joint[: len(a)], joint[len(a) :], int(joint.max()) + 1
    shares_a = np.bincount(a, minlength=num_cells) / len(a)
    shares_b = np.bincount(b, minlength=num_cells) / len(b)
    return float(0.5 * np.abs(shares_a - shares_b).sum())


def _bin_codes(column: NumberColumn, values: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    low, high = bounds(column)
    scaled = (numbers(column, values) - low) / (high - low)
    missing = np.isnan(scaled)
    cells = np.clip((np.where(missing, 0.0, scaled) * BINS).astype(np.int64), 0, BINS - 1)
    return np.where(missing, BINS, cells)
