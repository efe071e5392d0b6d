"""Cells fit to be looked at: the schema's own, with neighbours joined where there are many."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthesis.quality.values import Column, LevelColumn, NumberColumn

_MAX_BINS = 32


@dataclass(frozen=True, kw_only=True)
class PicturedCells:
    """The cells of one column.

    Attributes:
        labels: one short text per cell.
        groups: for every code of the column the cell that shows it, shape `(size,)`.
        num_point_masses: how many leading cells are single exact values.
        is_numeric: whether the cells after the point masses are bins in order.
    """

    labels: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    num_point_masses: int
    is_numeric: bool


def pictured_cells(column: Column) -> PicturedCells:
    """Return the cells of a column, from its public description alone."""
    if isinstance(column, LevelColumn):
        return PicturedCells(
            labels=column.cell_labels,
            groups=np.arange(column.size),
            num_point_masses=0,
            is_numeric=False,
        )
    return _number_cells(column)


def _number_cells(column: NumberColumn) -> PicturedCells:
    grid = column.grid
    num_masses = len(grid.masses)
    width = -(-grid.cells // _MAX_BINS)  # cells of the schema in one bin of the picture
    joined = np.arange(grid.cells) // width
    num_bins = int(joined[-1]) + 1
    groups = np.concatenate([np.arange(num_masses), num_masses + joined])
    if column.missing:
        groups = np.append(groups, num_masses + num_bins)
    lowest, highest = grid.bounds
    bins = [
        _interval(column, lowest[joined == number].min(), highest[joined == number].max())
        for number in range(num_bins)
    ]
    masses = [column.format_position(mass) for mass in grid.masses]
    return PicturedCells(
        labels=(*masses, *bins, *(["missing"] if column.missing else [])),
        groups=groups,
        num_point_masses=num_masses,
        is_numeric=True,
    )


def _interval(column: NumberColumn, low: int, high: int) -> str:
    first, last = column.format_position(int(low)), column.format_position(int(high))
    return first if first == last else f"{first} to {last}"
