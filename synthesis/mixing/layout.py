"""Where margins lie in a generator: which columns they join, in which groups of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np

from synthesis.conditions import Restriction
from synthesis.errors import InputError
from synthesis.mixing.grouping import Floats, Grouping, Integers
from synthesis.mixing.margins import Margin
from synthesis.mixing.raking import Cells, Goal
from synthesis.schema import Schema

MAX_NUMBERS = 1 << 24
"""Numbers in the table of a block, 128 MiB of them."""
MAX_COMBINATIONS = (1 << 15) - 1
"""What a code of 16 bits can number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginLayout:
    """The columns of some margins, cut into groups and joined into blocks.

    The label is in no block: every part of the generator says what it is, so margins with it cost
    nothing. Margins of the label alone have the first block, of no columns and one combination.

    Attributes:
        margins: the margins.
        groupings: by column index.
        blocks: indices of the columns of each block.
    """

    schema: Schema
    margins: tuple[Margin, ...]
    groupings: Mapping[int, Grouping]
    blocks: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, schema: Schema, left: Mapping[int, Restriction], margins: Sequence[Margin]) -> Self:
        """Lay margins out over what conditions left of the columns."""
        groupings = {}
        for index in sorted({index for margin in margins for index in margin.columns}):
            axes = [axis for margin in margins for axis in margin.axes if axis.column == index]
            whole = left.get(index) or Restriction.all_of(schema.columns[index])
            groupings[index] = Grouping.of(whole, axes)
        blocks: list[set[int]] = []
        for margin in margins:
            joined = set(margin.columns) - {schema.label_index}
            apart = [block for block in blocks if not block & joined]
            blocks = [*apart, joined.union(*(block for block in blocks if block & joined))]
        found = sorted(tuple(sorted(block)) for block in blocks if block)
        return cls(schema=schema, margins=tuple(margins), groupings=groupings, blocks=((), *found))

    def make_cells(
        self, columns: Sequence[Floats], weights: Floats, left: Mapping[int, Restriction]
    ) -> Cells:
        """Return a generator in groups.

        Args:
            columns: per column the probabilities of its codes, ``(parts, codes)`` or
                ``(classes, parts, codes)``; of the label always the former.
            weights: of each part, relative to an equal one, ``(parts,)``.
            left: by column index, what conditions leave.

        Raises:
            InputError: if margins join too many columns.
        """
        label = self.schema.label_index
        parts, classes = columns[label].shape
        weights = columns[label].T * weights / parts  # (classes, parts)
        for index, restriction in left.items():
            if index == label:
                weights = weights * restriction.shares[:, None]
            elif index not in self.groupings:
                weights = weights * (columns[index] * restriction.shares).sum(-1)
        blocks = []
        for block in self.blocks:
            self._check_size(block, parts * classes)
            table: Floats = np.ones((classes, parts, 1))
            for index in block:
                own = np.broadcast_to(
                    columns[index] @ self.groupings[index].shares.T,
                    (classes, parts, len(self.groupings[index].groups)),
                )
                table = (table[..., None] * own[..., None, :]).reshape(classes, parts, -1)
            blocks.append(table)
        return Cells(weights=weights, blocks=tuple(blocks))

    def make_goal(self, margin: Margin) -> Goal:
        """Return a margin in the combinations of its block.

        Raises:
            InputError: if its shares do not add to 1.
        """
        cells, shares = margin.split(
            [self._parts(margin, axis) for axis in range(len(margin.axes))]
        )
        features = set(margin.columns) - {self.schema.label_index}
        number = next(n for n, block in enumerate(self.blocks) if features <= set(block))
        block = self.blocks[number]
        sizes = [len(self.groupings[index].groups) for index in block]
        numbers = np.unravel_index(np.arange(prod(sizes)), sizes) if block else ()
        groups = dict(zip(block, numbers, strict=True))
        classes = self._class_groups()[:, None]
        at = [classes if i not in groups else groups[i][None] for i in margin.columns]
        shape = (self.schema.sizes[self.schema.label_index], prod(sizes))
        found = np.broadcast_to(cells[tuple(at)], shape)
        return Goal(margin=margin, block=number, cells=found, shares=shares)

    def _parts(self, margin: Margin, axis: int) -> Integers:
        index = margin.columns[axis]
        axes = [each for other in self.margins for each in other.axes if each.column == index]
        number = next(n for n, each in enumerate(axes) if each is margin.axes[axis])
        return np.asarray(self.groupings[index].parts[number])

    def _class_groups(self) -> Integers:
        """Return the group of every class; any for a class that conditions rule out."""
        label = self.schema.label_index
        if label not in self.groupings:
            return np.zeros(self.schema.sizes[label], dtype=np.int64)
        return np.asarray(self.groupings[label].shares.argmax(axis=0))

    def _check_size(self, block: Sequence[int], num_cells: int) -> None:
        combinations = prod(len(self.groupings[index].groups) for index in block)
        if combinations * num_cells > MAX_NUMBERS or combinations > MAX_COMBINATIONS:
            names = ", ".join(repr(self.schema.names[index]) for index in block)
            most = min(MAX_COMBINATIONS, MAX_NUMBERS // num_cells)
            raise InputError(
                f"match: margins of two columns join {names}, which have {combinations:,} "
                f"combinations of what is told apart, and at most {most:,} can be; list fewer "
                "levels, use wider ranges or leave a margin out.",
                argument="match",
            )
