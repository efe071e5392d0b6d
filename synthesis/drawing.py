"""Rows of codes from a mixture of products, by looking up tables: no network and no torch.

The tables are made once from a generator. They hold nothing but numbers, so that workers that draw
the same shards from them draw the same rows, whatever their processor would make of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int16]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAST_PROBABILITY = 1e-9
"""Below it a condition is refused: probabilities so small are what training left over."""
_CODE_BITS = 15
_CODE_MASK = np.uint64((1 << _CODE_BITS) - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnTable:
    """The distributions of one column, ready for inversion.

    Attributes:
        size: codes of the column.
        ends: cumulative probabilities of all distributions, each shifted into its own unit
            interval, ``(distributions * size,)``.
        last: the last code that each can give.
        by_cell: whether there is one for every cell (part and class), not for every part.
    """

    size: int
    ends: Floats
    last: Integers
    by_cell: bool

    @classmethod
    def of(cls, table: Floats) -> Self:
        """Make it from weights, ``(parts, codes)`` or ``(classes, parts, codes)``."""
        size = table.shape[-1]
        rows = table if table.ndim == 2 else table.transpose(1, 0, 2).reshape(-1, size)
        ends = np.cumsum(rows, axis=1)
        ends /= np.maximum(ends[:, -1:], 1e-300)
        ends += np.arange(len(rows))[:, None]
        last = size - 1 - np.argmax(rows[:, ::-1] > 0, axis=1)
        return cls(size=size, ends=ends.ravel(), last=last, by_cell=table.ndim == 3)

    def draw(self, groups: Groups, rng: np.random.Generator) -> Codes:
        """Draw a code for each row, as evenly as the group of its distribution allows.

        The codes of a group come out in order and are then shuffled within the group, so that
        columns stay independent given the group.
        """
        rows = groups.rows
        points = rows + (groups.ranks + rng.random(len(rows))) / groups.counts
        found = np.searchsorted(self.ends, points, side="right") - rows * self.size
        return _shuffle_within(groups.numbers, np.minimum(found, self.last[rows]), rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Rows that are drawn from the same distribution and lie next to each other.

    Attributes:
        rows: which distribution each row is drawn from, ascending.
        numbers: which group each row belongs to, from 0.
        ranks: its place within the group, from 0.
        counts: how many the group has.
    """

    rows: Integers
    numbers: Integers
    ranks: Integers
    counts: Integers

    @classmethod
    def of(cls, rows: Integers) -> Self:
        """Group rows by their distributions, which must ascend."""
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        sizes = np.diff(np.append(starts, len(rows)))
        ranks = np.arange(len(rows)) - np.repeat(starts, sizes)
        numbers = np.repeat(np.arange(len(starts)), sizes)
        return cls(rows=rows, numbers=numbers, ranks=ranks, counts=np.repeat(sizes, sizes))


@dataclass(frozen=True, kw_only=True, eq=False)
class MixtureTables:
    """Everything that rows of codes are drawn from.

    Attributes:
        cells: cumulative weights of the cells, a part of the mixture together with a class,
            ``(parts * classes,)``; the last is the probability of the condition.
        last_cell: the last cell that has any weight.
        num_classes: levels of the label.
        columns: per column its tables; None for the label, which the cell tells.
    """

    cells: Floats
    last_cell: int
    num_classes: int
    columns: tuple[ColumnTable | None, ...]

    @classmethod
    def of(
        cls,
        columns: Sequence[Floats],
        label_index: int,
        shares: Mapping[int, Floats | NDArray[np.bool_]],
        *,
        weights: Floats | None = None,
    ) -> Self:
        """Make the tables, under a condition.

        Args:
            columns: per column the probabilities of its codes, ``(parts, codes)`` or
                ``(classes, parts, codes)``; of the label always the former.
            label_index: which of them is the label.
            shares: per column position, the probability that a value with a code meets the
                condition, ``(codes,)`` in [0, 1].
            weights: of each part, relative to an equal one, ``(parts,)``; 1 if left out.

        Raises:
            ValueError: if the condition has (almost) no probability under the generator.
        """
        label = columns[label_index]
        if weights is not None:
            label = label * weights[:, None]
        weights = label * shares.get(label_index, 1.0) / len(label)  # (parts, classes)
        tables: list[ColumnTable | None] = []
        for position, column in enumerate(columns):
            if position == label_index:
                tables.append(None)
                continue
            if position in shares:
                column = column * shares[position]
                mass = column.sum(-1)
                weights = weights * (mass.T if mass.ndim == 2 else mass[:, None])
            tables.append(ColumnTable.of(column))
        cells = np.cumsum(weights)
        if not cells[-1] >= LEAST_PROBABILITY:
            raise ValueError(
                "the condition has almost no probability under the generator "
                f"({cells[-1]:.1e}, and at least {LEAST_PROBABILITY:.0e} is needed); ask for "
                "something less rare: widen a condition or leave one out."
            )
        return cls(
            cells=cells,
            last_cell=int(np.flatnonzero(weights)[-1]),
            num_classes=label.shape[1],
            columns=tuple(tables),
        )

    @property
    def probability(self) -> float:
        """How probable the condition is under the generator."""
        return min(1.0, float(self.cells[-1]))

    def draw(self, num_rows: int, rng: np.random.Generator) -> Codes:
        """Draw rows, exactly under the condition that the tables were made for.

        Draws are stratified: a part of the mixture appears as often with a class as its weight
        asks, up to one row, and its columns are spread evenly, so many rows stray less from the
        generator than independent ones would. Few, of which a part has one or none, hardly do.

        Args:
            num_rows: rows to draw, >= 0.
            rng: where the draws come from.

        Returns:
            Shape ``(num_rows, n_columns)``, in Fortran order: columns lie together.
        """
        points = (np.arange(num_rows) + rng.random()) / max(num_rows, 1) * self.cells[-1]
        found = np.searchsorted(self.cells, points, side="right")  # ascending
        cells = np.minimum(found, self.last_cell)
        parts, labels = np.divmod(cells, self.num_classes)
        by_cell, by_part = Groups.of(cells), Groups.of(parts)
        order = rng.permutation(num_rows)
        codes: Codes = np.empty((num_rows, len(self.columns)), dtype=np.int16, order="F")
        for position, table in enumerate(self.columns):
            if table is None:
                drawn = labels.astype(np.int16)
            else:
                drawn = table.draw(by_cell if table.by_cell else by_part, rng)
            codes[:, position] = drawn[order]
        return codes


def _shuffle_within(groups: Integers, codes: Integers, rng: np.random.Generator) -> Codes:
    """Return the codes in random order within each group; groups are numbered in ascending order.

    One sort does it: of numbers that hold the group, then random bits, then the code.
    """
    if len(groups) == 0:
        return codes.astype(np.int16)
    random_bits = 64 - _CODE_BITS - int(groups[-1]).bit_length()  # at least 32 for 2^17 rows
    keys = rng.integers(0, 1 << 64, len(groups), dtype=np.uint64)
    keys >>= np.uint64(64 - random_bits)
    keys |= groups.astype(np.uint64) << np.uint64(random_bits)
    keys <<= np.uint64(_CODE_BITS)
    keys |= codes.astype(np.uint64)
    keys.sort()
    return (keys & _CODE_MASK).astype(np.int16)
