"""Rows of a generator under margins: drawn afresh from the weighted mixture, none of them twice.

The weights of raking are products over blocks of columns, so the weighted generator is a mixture of
the same parts with other weights, in which a block has a joint distribution of its groups. It is
drawn from as it is: no row is thrown away and none is copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from synthesis.drawing import ColumnTable, Groups
from synthesis.encoding import Placed, place
from synthesis.mixing.grouping import Floats, Grouping, Integers
from synthesis.mixing.raking import Cells
from synthesis.schema import LevelColumn, Schema
from synthesis.schema.cuts import Cuts


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedColumn:
    """The distributions of one column given a group of its values.

    Attributes:
        groups: the groups.
        codes: codes in order of their groups; a code that several groups share stands in each.
        bounds: where each group begins, and the end, ``(groups + 1,)``.
        table: distributions over ``codes``.
    """

    groups: Grouping
    codes: Integers
    bounds: Integers
    table: ColumnTable

    @classmethod
    def of(cls, grouping: Grouping, column: Floats) -> Self:
        """Make them from a column's weights, ``(parts, codes)`` or ``(classes, parts, codes)``."""
        group, codes = np.nonzero(grouping.shares)
        bounds = np.searchsorted(group, np.arange(len(grouping.groups) + 1))
        table = ColumnTable.of(column[..., codes] * grouping.shares[group, codes])
        return cls(groups=grouping, codes=codes, bounds=bounds, table=table)

    def draw(self, rows: Integers, group: Integers, rng: np.random.Generator) -> Integers:
        """Draw a code for every row.

        Args:
            rows: which distribution each row is drawn from.
            group: the group that it is to lie in.
            rng: where the draws come from.
        """
        start, behind = self.bounds[group], self.bounds[group + 1]
        base, ends = rows * self.table.size, self.table.ends
        low = np.where(start > 0, ends[np.maximum(base + start - 1, 0)], rows)
        high = ends[base + behind - 1]
        points = low + rng.random(len(rows)) * (high - low)
        found = np.searchsorted(ends, points, side="right") - base
        return np.asarray(self.codes[np.clip(found, start, behind - 1)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Columns that margins join.

    Attributes:
        columns: by index, each with its groups.
        table: the joint distributions of their groups, the last column's running fastest.
    """

    columns: Mapping[int, GroupedColumn]
    table: ColumnTable


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedRows:
    """What rows are drawn from.

    Attributes:
        schema: what the rows obey.
        cells: cumulative weights of class and part, ``(classes * parts,)``.
        last_cell: the last that has any weight.
        blocks: columns that margins name; the label is none of them.
        others: tables of all other columns but the label.
        cuts: by column index, what conditions leave of cells that they cut.
        probability: how probable the conditions are under the generator.
    """

    schema: Schema
    cells: Floats
    last_cell: int
    blocks: tuple[Block, ...]
    others: Mapping[int, ColumnTable]
    cuts: Mapping[int, Cuts]
    probability: float

    def share_out(self, number: int) -> Floats:
        """Return the shares of so many groups of parts in the rows; groups have as many parts."""
        classes = self.schema.sizes[self.schema.label_index]
        weights = np.diff(self.cells, prepend=0.0).reshape(classes, number, -1).sum((0, 2))
        return np.asarray(weights / weights.sum())

    def draw(self, num_rows: int, rng: np.random.Generator) -> list[Placed]:
        """Draw so many rows, >= 0, stratified as ``MixtureTables.draw`` does, but by class first.

        Each class then has its share up to one row. With the classes of a part beside each other, a
        table of fewer rows than parts would have them by chance, or worse: in step with the parts.
        """
        classes = self.schema.sizes[self.schema.label_index]
        points = (np.arange(num_rows) + rng.random()) / max(num_rows, 1) * self.cells[-1]
        found = np.minimum(np.searchsorted(self.cells, points, side="right"), self.last_cell)
        labels, parts = np.divmod(found, len(self.cells) // classes)
        cells = np.sort(parts * classes + labels)
        parts, labels = np.divmod(cells, classes)
        by_cell, by_part = Groups.of(cells), Groups.of(parts)
        order = rng.permutation(num_rows)
        codes = np.empty((num_rows, len(self.schema.columns)), dtype=np.int16, order="F")
        codes[:, self.schema.label_index] = labels[order]
        for index, table in self.others.items():
            codes[:, index] = table.draw(by_cell if table.by_cell else by_part, rng)[order]
        groups: dict[int, Integers] = {}
        for block in self.blocks:
            drawn = block.table.draw(by_cell, rng).astype(np.int64)
            sizes = [len(column.groups.groups) for column in block.columns.values()]
            numbers = np.unravel_index(drawn, sizes)
            for (index, column), group in zip(block.columns.items(), numbers, strict=True):
                rows = cells if column.table.by_cell else parts
                codes[:, index] = column.draw(rows, group, rng)[order]
                groups[index] = group[order]
        placed = place(self.schema, codes, rng, self.cuts)
        for block in self.blocks:
            for index, column in block.columns.items():
                self._cut(
                    placed[index],
                    codes[:, index].astype(np.int64),
                    column.groups,
                    groups[index],
                    rng,
                )
        return placed

    def _cut(
        self,
        placed: Placed,
        codes: Integers,
        grouping: Grouping,
        numbers: Integers,
        rng: np.random.Generator,
    ) -> None:
        """Draw again, within their group, the cells of a column whose groups cut its codes."""
        for number, group in enumerate(grouping.groups):
            if isinstance(group.column, LevelColumn) or group.cuts is None:
                continue
            inside = (numbers == number) & ~placed.missing
            placed.places[inside] = group.cuts.decode(codes[inside], rng)


def make_tables(cells: Cells, factors: list[Floats]) -> tuple[Floats, list[ColumnTable]]:
    """Return the weights of class and part, ``(classes, parts)``, and every block's table."""
    weights = cells.weights
    for mass in cells.masses(factors):
        weights = weights * mass
    tables = [
        ColumnTable.of(block * factor[:, None, :])
        for block, factor in zip(cells.blocks, factors, strict=True)
    ]
    return weights, tables
