"""Two tables side by side, as plain numbers that a picture can be drawn from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from synthesis.errors import InputError
from synthesis.quality.marginals import check_comparable, pairwise_distances
from synthesis.quality.pictured_cells import PicturedCells, pictured_cells
from synthesis.quality.values import read_codes
from synthesis.schema import Categorical, Schema


@dataclass(frozen=True, kw_only=True)
class ColumnComparison:
    """One column of two tables.

    Attributes:
        name: of the column.
        labels: one text per cell: point masses, then values or bins, then missing.
        real: share of real rows per cell.
        synthetic: share of synthetic rows per cell.
        distance: total variation distance on the cells that quality is scored on, in [0, 1].
        is_numeric: whether the cells between point masses and missing are bins in order.
        is_ordered: whether the order of cells means something.
        num_point_masses: how many leading cells are single exact values.
        has_missing: whether the last cell counts missing values.
    """

    name: str
    labels: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    distance: float
    is_numeric: bool
    is_ordered: bool
    num_point_masses: int
    has_missing: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All columns of two tables, and the distances of all pairs.

    Attributes:
        columns: one entry per column, in the order of the schema.
        pairwise: two-way distances as rows of a symmetric matrix, one-way on the diagonal.
    """

    columns: tuple[ColumnComparison, ...]
    pairwise: tuple[tuple[float, ...], ...]


def one_way(
    schema: Schema, table: pd.DataFrame, column: str
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the cells of one column, as texts, and the share of rows in each.

    Raises:
        InputError: the column is not in the schema, or the table is empty or breaks it.
    """
    if column not in schema.names:
        raise InputError(
            f"column must be one of the schema's, got {column!r}; see Schema.names",
            argument="column",
        )
    check_comparable(schema, table)
    cells = pictured_cells(schema.column(column))
    codes = read_codes(schema.column(column), table[column])
    return cells.labels, _shares(cells, codes)


def compare_tables(schema: Schema, real: pd.DataFrame, synthetic: pd.DataFrame) -> Comparison:
    """Return both tables' shares per column and all two-way distances.

    The result describes real rows exactly, without noise: it is for simulations, and for the
    eyes of those who may see the real rows.

    Raises:
        InputError: a table is empty or breaks the schema.
    """
    pairwise = pairwise_distances(schema, real, synthetic)
    columns = []
    for position, column in enumerate(schema.columns):
        cells = pictured_cells(column)
        columns.append(
            ColumnComparison(
                name=column.name,
                labels=cells.labels,
                real=_shares(cells, read_codes(column, real[column.name])),
                synthetic=_shares(cells, read_codes(column, synthetic[column.name])),
                distance=float(pairwise[position, position]),
                is_numeric=cells.is_numeric,
                is_ordered=not isinstance(column, Categorical),
                num_point_masses=cells.num_point_masses,
                has_missing=column.missing,
            )
        )
    rows = tuple(tuple(float(distance) for distance in row) for row in pairwise)
    return Comparison(columns=tuple(columns), pairwise=rows)


def _shares(cells: PicturedCells, codes: npt.NDArray[np.int64]) -> tuple[float, ...]:
    counts = np.bincount(cells.groups[codes], minlength=len(cells.labels))
    return tuple(float(share) for share in counts / len(codes))
