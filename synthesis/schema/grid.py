"""The grid of values a numeric column may take, and the cells (codes) they are grouped into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

MAX_CODES_WITHOUT_BINS = 128
MAX_POSITIONS = 2**53  # beyond this, neighbouring values are no longer distinct as doubles


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Evenly spaced values in whole units, numbered by position, and cut into cells.

    A value is `(origin + step * position) / scale`. Values at `masses` have a code of their own and
    belong to no cell. The others are numbered again by rank, and cell `i` holds the ranks from
    `edges[i]` up to, but not including, `edges[i + 1]`. Nothing here is fitted on data.

    Attributes:
        origin: the minimum, in units.
        step: distance between neighbouring values, in units.
        count: number of values, point masses included.
        scale: units in 1.0 of the column's own measure (1, or a power of ten).
        masses: positions of the point masses, in the order of their codes.
        edges: ranks at which cells begin, shape `(cells + 1,)`, strictly increasing.
        log: whether values are spread log-uniformly inside a cell when decoded.
    """

    origin: int
    step: int
    count: int
    scale: int
    masses: tuple[int, ...]
    edges: Integers
    log: bool

    @property
    def cells(self) -> int:
        """Number of cells, point masses not counted."""
        return len(self.edges) - 1

    @cached_property
    def bounds(self) -> tuple[Integers, Integers]:
        """Lowest and highest position of every cell, each of shape `(cells,)`."""
        return self.unrank(self.edges[:-1]), self.unrank(self.edges[1:] - 1)

    def to_units(self, positions: Integers) -> Integers:
        """Turn positions into whole units."""
        return self.origin + self.step * positions

    def to_values(self, positions: Integers) -> NDArray[np.float64]:
        """Turn positions into values in the column's own measure."""
        return self.to_units(positions) / self.scale

    def encode(self, positions: Integers) -> Integers:
        """Turn positions in [0, count) into codes: point masses first, then the cells."""
        codes = len(self.masses) + np.searchsorted(self.edges, self.rank(positions), "right") - 1
        for code, mass in enumerate(self.masses):
            codes[positions == mass] = code
        return codes.astype(np.int64)

    def decode(self, codes: Integers, rng: np.random.Generator) -> Integers:
        """Draw a position for every code, uniformly (or log-uniformly) inside its cell."""
        cells = codes - len(self.masses)
        inside = cells >= 0
        positions = np.array([*self.masses, 0], dtype=np.int64)[np.where(inside, -1, codes)]
        cells = cells[inside]
        ranks = self.rank_at(cells, rng.random(len(cells)))
        positions[inside] = self.unrank(
            np.clip(ranks, self.edges[cells], self.edges[cells + 1] - 1)
        )
        return positions

    def share_below(self, cells: Integers, ranks: Integers) -> NDArray[np.float64]:
        """Return the probability that a draw from each cell lies below a rank.

        The two are broadcast; a rank outside its cell has probability 0 or 1.
        """
        first, after = self.edges[cells], self.edges[cells + 1]
        inside = np.clip(ranks, first, after)
        if not self.log:
            return (inside - first) / (after - first)
        low, high = self._ends(cells)
        # A draw has this rank or more from the position behind the rank before it on.
        begin = self.to_values(self.unrank(np.maximum(inside - 1, 0)) + 1)
        share = np.log(begin / low) / np.log(high / low)
        return np.where(inside == first, 0.0, np.where(inside == after, 1.0, share))

    def rank_at(self, cells: Integers, shares: NDArray[np.float64]) -> Integers:
        """Return the rank at a share in [0, 1) of each cell; rounding may lead just out of it."""
        if self.log:
            low, high = self._ends(cells)
            drawn = low * (high / low) ** shares
            return self.rank(_floor((drawn * self.scale - self.origin) / self.step))
        first, after = self.edges[cells], self.edges[cells + 1]
        return first + _floor(shares * (after - first))

    def _ends(self, cells: Integers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values at which cells begin and end; the latter belongs to the next one."""
        lowest, highest = self.bounds
        return self.to_values(lowest[cells]), self.to_values(highest[cells] + 1)

    def rank(self, positions: Integers) -> Integers:
        """Return how many positions that are no point mass lie below each."""
        return positions - np.searchsorted(np.sort(self.masses), positions)

    def unrank(self, ranks: Integers) -> Integers:
        """Return the position of every rank."""
        positions = ranks.copy()
        for mass in sorted(self.masses):
            positions += positions >= mass
        return positions


def build_grid(
    *,
    origin: int,
    step: int,
    count: int,
    scale: int = 1,
    masses: tuple[int, ...] = (),
    bins: int | None = None,
    log: bool = False,
) -> Grid:
    """Cut a grid into cells: one per value, or `bins` of equal width (equal ratio under `log`).

    Every cell holds at least one value: where equal ratios would leave a cell empty, the cells
    near the lower end hold one value each and the others move up.

    Raises:
        ValueError: when the bounds, point masses and bins do not fit together; the sentence says
            what to change.
    """
    free = _check_grid(count=count, masses=masses, bins=bins, log=log)
    cells = free if bins is None else bins
    plain = np.round(np.arange(cells + 1) * (free / cells)).astype(np.int64)
    grid = Grid(
        origin=origin, step=step, count=count, scale=scale, masses=masses, edges=plain, log=log
    )
    if not log:
        return grid
    return Grid(
        origin=origin,
        step=step,
        count=count,
        scale=scale,
        masses=masses,
        edges=_log_edges(grid, free),
        log=True,
    )


def _check_grid(*, count: int, masses: tuple[int, ...], bins: int | None, log: bool) -> int:
    """Return the number of values that are no point mass."""
    if count < 1:
        raise ValueError("minimum must not be above maximum")
    if count > MAX_POSITIONS:
        raise ValueError(
            f"there are {count:,} different values between minimum and maximum, more than a number "
            "can tell apart; use fewer decimals, a coarser resolution or closer bounds"
        )
    if len(set(masses)) < len(masses):
        raise ValueError("point_masses must not repeat a value; remove the repetition")
    if any(not 0 <= mass < count for mass in masses):
        raise ValueError(
            "every point mass must lie between minimum and maximum, on the column's resolution or "
            "decimals; widen the bounds or remove it"
        )
    free = count - len(masses)
    if free < 1:
        raise ValueError("every value is a point mass; use kind 'categorical' or 'ordinal'")
    if bins is None and count > MAX_CODES_WITHOUT_BINS:
        raise ValueError(
            f"there are {count:,} different values between minimum and maximum, and only up to "
            f"{MAX_CODES_WITHOUT_BINS} can have a code each; give bins, such as bins = 32"
        )
    if bins is None and log:
        raise ValueError("transform = 'log' spaces bins; give bins, or remove the transform")
    if bins is not None and bins > free:
        raise ValueError(f"bins must be at most the number of values ({free}), got {bins}")
    return free


def _log_edges(grid: Grid, free: int) -> Integers:
    """Edges of equal ratio, moved so that every cell holds at least one value."""
    ends = grid.to_values(grid.unrank(np.array([0, free - 1], dtype=np.int64)))
    low, high = float(ends[0]), float(ends[1]) + grid.step / grid.scale
    if low <= 0:
        raise ValueError(
            "transform = 'log' needs values above zero; raise minimum above zero, or keep minimum "
            "at zero and declare it as a point mass: point_masses = [0]"
        )
    targets = low * (high / low) ** (np.arange(grid.cells + 1) / grid.cells)
    positions = np.ceil((targets * grid.scale - grid.origin) / grid.step - 1e-9).astype(np.int64)
    ranks = grid.rank(np.clip(positions, 0, grid.count))
    ranks[0], ranks[-1] = 0, free
    place = np.arange(grid.cells + 1)
    at_least_one = place + np.maximum.accumulate(ranks - place)
    return np.minimum(at_least_one, free - (grid.cells - place)).astype(np.int64)


def _floor(values: NDArray[np.float64]) -> Integers:
    return np.floor(values).astype(np.int64)
