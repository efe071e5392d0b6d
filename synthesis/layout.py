"""The layout of the private statistics: which counts a site sums up, and what one unit moves.

For pairs of feature columns and every class of the label there is one block of counts, as in a
class-conditional second moment of one-hot rows: for all pairs while they are few, else for those
that ``synthesis.pairs`` chooses. A count costs the same noise whether its cell is fine or coarse,
so columns with many cells enter the pairs in a few contiguous *groups* of cells, and their full
resolution enters once more as a block of its own, as that of a column in no pair does. Which pairs
have a block and which cells form a group follows from the schema alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthesis.pairs import Pair, choose_pairs
from synthesis.schema import Column, NumberColumn, Ordinal, Schema

MAX_GROUPS = 20
MAX_PAIRED_LEVELS = 64
"""Levels of a list without order that enter the pairs one by one; more share groups, too."""

Groups = NDArray[np.int64]
Counts = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchLayout:
    """Where every count of the sketch lies, from public facts alone.

    Attributes:
        sizes: codes of every column, label included.
        label_index: position of the label among the columns.
        groups: per feature column, the group of each of its codes.
        pairs: pairs of features (numbered among the features) that have a block, in order.
    """

    sizes: tuple[int, ...]
    label_index: int
    groups: tuple[Groups, ...]
    pairs: tuple[Pair, ...]

    @classmethod
    def from_schema(cls, schema: Schema, *, max_groups: int = MAX_GROUPS) -> SketchLayout:
        """Return the layout that the schema implies."""
        features = [c for i, c in enumerate(schema.columns) if i != schema.label_index]
        groups = tuple(
            group_cells(column, max_groups, group_levels=column.size > MAX_PAIRED_LEVELS)
            for column in features
        )
        return cls(
            sizes=schema.sizes,
            label_index=schema.label_index,
            groups=groups,
            pairs=choose_pairs(
                [int(each.max()) + 1 for each in groups], schema.sizes[schema.label_index]
            ),
        )

    @property
    def num_classes(self) -> int:
        """Levels of the label."""
        return self.sizes[self.label_index]

    @property
    def features(self) -> tuple[int, ...]:
        """Positions of the feature columns."""
        return tuple(i for i in range(len(self.sizes)) if i != self.label_index)

    @cached_property
    def group_sizes(self) -> tuple[int, ...]:
        """Groups of every feature column."""
        return tuple(int(groups.max()) + 1 for groups in self.groups)

    @cached_property
    def singles(self) -> tuple[int, ...]:
        """Features that have a block at full resolution: those in groups, and those in no pair."""
        paired = {feature for pair in self.pairs for feature in pair}
        return tuple(
            feature
            for feature, groups in enumerate(self.groups)
            if feature not in paired or len(groups) > self.group_sizes[feature]
        )

    @property
    def num_blocks(self) -> int:
        """Blocks of the sketch; a unit adds at most one to each, spread over its rows' cells."""
        return len(self.pairs) + len(self.singles)

    @property
    def sensitivity(self) -> float:
        """Largest L2 change of the whole sketch when one unit is added or removed."""
        return float(np.sqrt(self.num_blocks))

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of every block, classes first: pairs, then singles."""
        sizes = self.group_sizes
        pairs = [(self.num_classes, sizes[a], sizes[b]) for a, b in self.pairs]
        singles = [(self.num_classes, len(self.groups[f])) for f in self.singles]
        return (*pairs, *singles)

    @property
    def dimension(self) -> int:
        """Length of the flat sketch."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def split(self, flat: Counts) -> Iterator[Counts]:
        """Yield the blocks of a flat sketch, in the order of ``shapes``.

        Raises:
            ValueError: if ``flat`` does not have the shape ``(dimension,)``.
        """
        if flat.shape != (self.dimension,):
            raise ValueError(f"sketch must have shape ({self.dimension},), got {flat.shape}.")
        start = 0
        for shape in self.shapes:
            stop = start + int(np.prod(shape))
            yield flat[start:stop].reshape(shape)
            start = stop


def compute_sketch(
    layout: SketchLayout, codes: NDArray[np.integer], weights: Counts | None = None
) -> Counts:
    """Count every block over the rows of a site; exact, and private until noise is added.

    Args:
        layout: where the counts lie.
        codes: encoded rows, ``(n_rows, n_columns)``; ``n_rows`` may be 0.
        weights: what each row counts, ``(n_rows,)``; 1 when left out. The rows of one unit must
            not add up to more than 1, and sums must be exact (see ``Units.weights``).

    Returns:
        Shape ``(layout.dimension,)``. One unit more adds at most 1 to the cells of each block.
    """
    labels = codes[:, layout.label_index].astype(np.int64)
    fine = [codes[:, column].astype(np.int64) for column in layout.features]
    grouped = [groups[column] for groups, column in zip(layout.groups, fine, strict=True)]
    sizes = layout.group_sizes
    blocks = [
        _count((labels * sizes[a] + grouped[a]) * sizes[b] + grouped[b], shape, weights)
        for (a, b), shape in zip(layout.pairs, layout.shapes, strict=False)
    ]
    for feature, shape in zip(layout.singles, layout.shapes[len(layout.pairs) :], strict=True):
        blocks.append(_count(labels * shape[1] + fine[feature], shape, weights))
    return np.concatenate(blocks)


def _count(cells: NDArray[np.int64], shape: tuple[int, ...], weights: Counts | None) -> Counts:
    return np.bincount(cells, weights, minlength=int(np.prod(shape))).astype(np.float64)


def group_cells(column: Column, max_groups: int, *, group_levels: bool = False) -> Groups:
    """Return the group of every code; point masses and a missing value stay by themselves.

    Args:
        column: the public declaration.
        max_groups: groups at most, unless point masses and missing alone are more.
        group_levels: whether neighbours in a list without order may share a group, too.
    """
    codes = np.arange(column.size)
    is_ordered = isinstance(column, NumberColumn | Ordinal)
    if not (is_ordered or group_levels) or column.size <= max_groups:
        return codes
    masses = len(column.grid.masses) if isinstance(column, NumberColumn) else 0
    cells = column.size - masses - column.missing
    num_groups = max(2, max_groups - masses - column.missing)
    if cells <= num_groups:
        return codes
    inner = np.arange(cells) * num_groups // cells
    tail = np.full(int(column.missing), masses + num_groups)
    return np.concatenate([np.arange(masses), masses + inner, tail]).astype(np.int64)
