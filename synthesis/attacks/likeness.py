"""How unlike two rows of mixed columns are: the distance all attacks share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from synthesis.schema import Column, NumberColumn, Ordinal, Schema
from synthesis.units import Codes

Distances = NDArray[np.float32]

SHARPNESS = 6.0
"""Fall of the kernel: a row with one more cell that differs weighs e^-6 of another. On tables that
remember some of their training rows, smaller values found fewer of them, larger ones no more."""
_PART = 24  # rows at a time, so that their distances stay in a processor's cache


class Likeness:
    """Distances between rows: the sum over columns of how unlike their cells are, in [0, 1] each.

    Equal cells are 0 apart, different ones 1; in columns with an order, different cells are from
    0.5 to 1 apart by their ranks. A missing value is 1 from any other.

    Args:
        schema: says which columns have an order.
    """

    def __init__(self, schema: Schema) -> None:
        self._places = [_place(column) for column in schema.columns]

    def column(self, index: int, rows: Codes, table: Codes) -> Distances:
        """Return how unlike the cells of one column are, ``(len(rows), len(table))``."""
        left, right = rows[:, index][:, None], table[:, index][None]
        differ: Distances = (left != right).astype(np.float32)
        places = self._places[index]
        if places is None:
            return differ
        apart: Distances = np.abs(places[left] - places[right])
        np.minimum(apart, 1, out=apart)
        apart += 1
        apart *= differ
        apart *= 0.5
        return apart

    def compare(self, rows: Codes, table: Codes) -> Iterator[tuple[slice, Distances]]:
        """Yield a few rows at a time and their distances, ``(len(part), len(table))``."""
        for start in range(0, len(rows), _PART):
            part = slice(start, min(start + _PART, len(rows)))
            distances = np.zeros((part.stop - start, len(table)), dtype=np.float32)
            for index in range(len(self._places)):
                distances += self.column(index, rows[part], table)
            yield part, distances

    def log_density(self, distances: Distances) -> NDArray[np.float64]:
        """Return the log density at rows whose distances to a table are given, but for a constant.

        A Parzen window with a kernel that falls with the distance, as in Aitchison and Aitken 1976.
        """
        nearest = distances.min(axis=1)
        weights = np.exp(SHARPNESS * (nearest[:, None] - distances))
        return np.asarray(np.log(weights.mean(axis=1, dtype=np.float64)) - SHARPNESS * nearest)

    def log_independent(
        self, rows: Codes, shares: Sequence[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return what ``log_density`` would be if the columns of the table were independent.

        Args:
            rows: where to tell it.
            shares: per column, the shares of its codes in the table.
        """
        total = np.zeros(len(rows))
        for index, told in enumerate(shares):
            codes = np.zeros((len(told), len(shares)), dtype=np.int16)
            codes[:, index] = np.arange(len(told))
            parts = [codes[at : at + _PART] for at in range(0, len(codes), _PART)]
            apart = (self.column(index, part, codes) for part in parts)
            level = np.concatenate([np.exp(-SHARPNESS * each) @ told for each in apart])
            total += np.log(level[rows[:, index]])
        return total


def _place(column: Column) -> NDArray[np.float32] | None:
    """Return where each code lies in the column's order, in [0, 1]; None without an order."""
    if isinstance(column, NumberColumn):
        low, high = column.grid.bounds
        middles = np.concatenate([column.grid.masses, (low + high) / 2])
    elif isinstance(column, Ordinal):
        middles = np.arange(len(column.levels), dtype=np.float64)
    else:
        return None
    ranks = np.argsort(np.argsort(middles)) / max(1, len(middles) - 1)
    # A missing value lies so far off that it is as unlike as can be.
    return np.append(ranks, [-1.0] * column.missing).astype(np.float32)
