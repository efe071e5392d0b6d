"""Rows between generated rows of one class: mixup and SMOTE, on what the generator draws alone.

The functions take what draws rows, never a table: a row between two real records would carry both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from synthesis.conditions import Restriction
from synthesis.encoding import Placed
from synthesis.mixing.grouping import REST, Axis, Floats, Integers
from synthesis.schema import Column, LevelColumn, NumberColumn, Schema

MIXUP, SMOTE, LATENT = "mixup", "smote", "latent"
METHODS: Final = (MIXUP, SMOTE, LATENT)
NEIGHBOURS: Final = 5
"""Rows among which SMOTE chooses, as in the paper (Chawla et al. 2002)."""
_LEAST_POOL: Final = 4096
_POOL: Final = 512
"""Generated rows of the class among which the nearest are looked for."""


class Rows(Protocol):
    """What draws rows."""

    def draw(self, num_rows: int, rng: np.random.Generator) -> list[Placed]:
        """Draw so many rows from a random stream."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RowsBetween:
    """Rows on the way from a generated row to a partner of the same class.

    A number goes a share t of the way, to the nearest value that its column may have; t is uniform
    between 0 and ``strength``. Levels, point masses and missing values lie on no way: they come all
    from the partner with probability t, and else all from the first row.

    Attributes:
        schema: what the rows obey.
        rows: what draws them.
        left: by column index, what conditions leave; a value between that breaks one is not taken.
        method: ``"mixup"`` (any partner; Zhang et al. 2018) or ``"smote"`` (one of the nearest).
        strength: the longest way, in (0, 1].
    """

    schema: Schema
    rows: Rows
    left: Mapping[int, Restriction]
    method: str
    strength: float

    def draw(self, num_rows: int, rng: np.random.Generator) -> list[Placed]:
        """Draw so many rows, >= 0."""
        first = self.rows.draw(num_rows, rng)
        second = self.rows.draw(max(num_rows, _LEAST_POOL), rng)
        partners = self._find_partners(first, second, rng)
        share = np.where(partners == REST, 0.0, self.strength * rng.random(num_rows))
        takes = rng.random(num_rows) < share
        placed = []
        for index, column in enumerate(self.schema.columns):
            other = Placed(
                places=second[index].places[partners], missing=second[index].missing[partners]
            )
            between = _between(column, first[index], other, share, takes)
            placed.append(self._keep(index, between, first[index]))
        return placed

    def _keep(self, index: int, between: Placed, first: Placed) -> Placed:
        """Take the first row's value where the one between breaks a condition."""
        if index not in self.left:
            return between
        allowed = Axis(column=index, parts=(self.left[index],), keys=("",))
        holds = allowed.find_cells(between) != REST
        return Placed(
            places=np.where(holds, between.places, first.places),
            missing=np.where(holds, between.missing, first.missing),
        )

    def _find_partners(
        self, first: Sequence[Placed], second: Sequence[Placed], rng: np.random.Generator
    ) -> Integers:
        """Return a row of ``second`` for every row of ``first``, or ``REST`` where none fits."""
        label = self.schema.label_index
        partners = np.full(len(first[label].places), REST, dtype=np.int64)
        for level in np.unique(first[label].places):
            mine = np.flatnonzero(first[label].places == level)
            pool = rng.permutation(np.flatnonzero(second[label].places == level))
            if not len(pool):
                continue
            if self.method == MIXUP:
                partners[mine] = pool[rng.integers(len(pool), size=len(mine))]
                continue
            for start in range(0, len(mine), _POOL):
                some = mine[start : start + _POOL]
                near = pool[(start + np.arange(min(_POOL, len(pool)))) % len(pool)]
                away = self._measure(first, some, second, near)
                partners[some] = near[_choose_near(away, rng)]
        return partners

    def _measure(
        self, first: Sequence[Placed], some: Integers, second: Sequence[Placed], near: Integers
    ) -> Floats:
        """Return Gower's distance of every pair: levels differ or not, numbers by their cells."""
        away = np.zeros((len(some), len(near)))
        for index, column in enumerate(self.schema.columns):
            ours = _to_codes(column, first[index], some)[:, None]
            theirs = _to_codes(column, second[index], near)[None, :]
            if isinstance(column, LevelColumn):
                away += ours != theirs
                continue
            are_cells = _are_cells(column, ours) & _are_cells(column, theirs)
            gap = np.abs(ours - theirs) / max(column.grid.cells - 1, 1)
            away += np.where(are_cells, gap, ours != theirs)
        return away


def _choose_near(away: Floats, rng: np.random.Generator) -> Integers:
    """Return for every row one of its nearest, each equally likely."""
    count = min(NEIGHBOURS, away.shape[1])
    nearest = np.argpartition(away, count - 1, axis=1)[:, :count]
    chosen = rng.integers(count, size=len(away))
    return np.asarray(nearest[np.arange(len(away)), chosen])


def _between(
    column: Column, first: Placed, other: Placed, share: Floats, takes: NDArray[np.bool_]
) -> Placed:
    places = np.where(takes, other.places, first.places)
    missing = np.where(takes, other.missing, first.missing)
    if not isinstance(column, LevelColumn):
        grid = column.grid
        on_way = ~(first.missing | other.missing)
        on_way &= ~np.isin(first.places, grid.masses) & ~np.isin(other.places, grid.masses)
        ranks, others = grid.rank(first.places), grid.rank(other.places)
        way = np.rint(ranks + share * (others - ranks)).astype(np.int64)
        places[on_way] = grid.unrank(way[on_way])
        missing[on_way] = False
    return Placed(places=places, missing=missing)


def _to_codes(column: Column, placed: Placed, rows: Integers) -> Integers:
    places = placed.places[rows]
    if not isinstance(column, LevelColumn):
        places = column.grid.encode(np.where(placed.missing[rows], 0, places))
    return np.where(placed.missing[rows], column.size, places)


def _are_cells(column: NumberColumn, codes: Integers) -> NDArray[np.bool_]:
    """Return which codes are cells: no point mass and not missing."""
    masses = len(column.grid.masses)
    return (codes >= masses) & (codes < masses + column.grid.cells)
