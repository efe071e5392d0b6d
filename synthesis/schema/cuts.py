"""What a condition leaves of the cells of a grid: how much of each, and draws from that alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synthesis.schema.grid import Grid, Integers

Floats = NDArray[np.float64]
Range = tuple[int, int]
"""A first and a last position."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cuts:
    """Pieces of every cell; a draw inside a cell is one number in [0, 1), and pieces cut that.

    So a draw under a condition is never rejected, however little of a cell the condition leaves.

    Attributes:
        grid: whose cells they are.
        starts: share of the cell at which each piece begins, ``(cells, ranges)``.
        widths: shares of the pieces, ``(cells, ranges)``.
        ranks: first rank of every range and the one behind its last, ``(ranges,)`` each.
    """

    grid: Grid
    starts: Floats
    widths: Floats
    ranks: tuple[Integers, Integers]

    @classmethod
    def of(cls, grid: Grid, ranges: Sequence[Range]) -> Self:
        """Cut the cells of a grid down to ranges of positions, which are in order and apart."""
        first, last = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
        ranks = grid.rank(first), grid.rank(last + 1)
        cells = np.arange(grid.cells)[:, None]
        starts, stops = (grid.share_below(cells, each) for each in ranks)
        return cls(grid=grid, starts=starts, widths=stops - starts, ranks=ranks)

    @property
    def shares(self) -> Floats:
        """The probability that a draw from each cell lies in some range, ``(cells,)``."""
        return np.asarray(self.widths.sum(axis=1))

    def decode(self, codes: Integers, rng: np.random.Generator) -> Integers:
        """Draw a position for every code as ``Grid.decode`` does, from the ranges alone."""
        positions = self.grid.decode(codes, rng)
        cells = codes - len(self.grid.masses)
        inside = cells >= 0
        positions[inside] = self.grid.unrank(self._draw(cells[inside], rng))
        return positions

    def _draw(self, cells: Integers, rng: np.random.Generator) -> Integers:
        ends = np.cumsum(self.widths, axis=1)
        totals, ranges = np.maximum(ends[:, -1:], 1e-300), ends.shape[1]
        shifted = (ends / totals + np.arange(len(ends))[:, None]).ravel()
        uniform = rng.random(len(cells))
        pieces = np.searchsorted(shifted, cells + uniform, side="right") - cells * ranges
        last = ranges - 1 - np.argmax(self.widths[:, ::-1] > 0, axis=1)
        pieces = np.minimum(pieces, last[cells])
        before = ends[cells, pieces] - self.widths[cells, pieces]
        shares = self.starts[cells, pieces] + uniform * totals[cells, 0] - before
        first, behind = self.ranks
        edges = self.grid.edges
        lowest = np.maximum(edges[cells], first[pieces])
        highest = np.minimum(edges[cells + 1], behind[pieces]) - 1
        return np.clip(self.grid.rank_at(cells, shares), lowest, highest)
