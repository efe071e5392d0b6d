"""The layout of the private statistics: which counts a site sums up, and what one unit moves.

For pairs of feature columns and every class of the label there is one block of counts, as in a
class-conditional second moment of one-hot rows: for all pairs while they are few, else for those
that ``synthesis.pairs`` chooses. A count costs the same noise whether its cell is fine or coarse,
so columns with many cells enter the pairs in a few contiguous *groups* of cells, and their full
resolution enters once more as a block of its own, as that of a column in no pair does. Each of
these blocks comes twice, given the label and over all labels. Which pairs have a block and which
cells form a group follows from the schema alone.

Entries all carry the same noise, so what counts on a larger *scale* is told more exactly: a record
adds 2 to one cell of a block of two columns, and 3 to one of a block of one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthesis.pairs import Pair, choose_pairs
from synthesis.schema import Column, NumberColumn, Ordinal, Schema

MAX_GROUPS = 14
MAX_PAIRED_LEVELS = 64
"""Levels of a list without order that enter the pairs one by one; more share groups, too."""

PAIR_SCALE, SINGLE_SCALE = 2, 3
"""What a unit adds to one cell of a block of two columns, and of a block of one."""

_ROWS_COUNTED = 16_384
"""Rows counted at once: so few that their cells stay in the processor's cache."""

Groups = NDArray[np.int64]
Counts = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Counts of one or two features.

    Attributes:
        features: which, numbered among the features.
        is_given_label: whether every class has counts of its own.
        shape: classes first (1 over all labels), then groups of each of two features or codes of
            one.
        scale: what a unit adds, over all its rows; a whole number, so that sums stay exact.
    """

    features: tuple[int, ...]
    is_given_label: bool
    shape: tuple[int, ...]
    scale: int

    @property
    def size(self) -> int:
        """Number of counts."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchLayout:
    """Where every count of the sketch lies, from public facts alone.

    Attributes:
        sizes: codes of every column, label included.
        label_index: position of the label among the columns.
        groups: per feature column, the group of each of its codes.
        pairs: pairs of features (numbered among the features) that have a block, in order.
        absent: features that a site lacks: blocks of them hold nothing but zeros.
    """

    sizes: tuple[int, ...]
    label_index: int
    groups: tuple[Groups, ...]
    pairs: tuple[Pair, ...]
    absent: frozenset[int] = frozenset()

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

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block: pairs given the label, pairs, singles given the label, singles."""
        pairs = [(pair, tuple(self.group_sizes[f] for f in pair)) for pair in self.pairs]
        singles = [((f,), (len(self.groups[f]),)) for f in self.singles]
        return tuple(
            Block(
                features=features,
                is_given_label=is_given_label,
                shape=(self.num_classes if is_given_label else 1, *shape),
                scale=scale,
            )
            for several, scale in ((pairs, PAIR_SCALE), (singles, SINGLE_SCALE))
            for is_given_label in (True, False)
            for features, shape in several
        )

    def lacking(self, columns: Collection[int]) -> SketchLayout:
        """Return the layout of a site that lacks some columns, none of them the label."""
        absent = {n for n, column in enumerate(self.features) if column in columns}
        return replace(self, absent=frozenset(absent))

    def is_told(self, block: Block) -> bool:
        """Whether no feature of the block is absent."""
        return self.absent.isdisjoint(block.features)

    @cached_property
    def told_cells(self) -> NDArray[np.bool_]:
        """Which entries of a flat sketch are counted, ``(dimension,)``."""
        told = [self.is_told(block) for block in self.blocks]
        return np.repeat(told, [block.size for block in self.blocks])

    @cached_property
    def sensitivity(self) -> float:
        """Largest L2 change of the whole sketch when one unit is added or removed."""
        return math.sqrt(sum(block.scale**2 for block in self.blocks if self.is_told(block)))

    @property
    def dimension(self) -> int:
        """Length of the flat sketch."""
        return sum(block.size for block in self.blocks)

    def split(self, flat: Counts) -> Iterator[Counts]:
        """Yield the counts of every block of a flat sketch, in units and not on its scale.

        Raises:
            ValueError: if ``flat`` does not have the shape ``(dimension,)``.
        """
        if flat.shape != (self.dimension,):
            raise ValueError(f"sketch must have shape ({self.dimension},), got {flat.shape}.")
        start = 0
        for block in self.blocks:
            yield flat[start : start + block.size].reshape(block.shape) / block.scale
            start += block.size


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
        Shape ``(layout.dimension,)``. One unit more adds at most its scale to the cells of a block.
        Blocks of absent features are zero, whatever their codes are.
    """
    kind = np.int64 if weights is None else np.float64
    given = {
        block.features: np.zeros(block.size, kind)
        for block in layout.blocks
        if block.is_given_label
    }
    rows = max([_ROWS_COUNTED, *(len(counts) for counts in given.values())])
    for start in range(0, len(codes), rows):
        part = slice(start, start + rows)
        _count(layout, given, codes[part], None if weights is None else weights[part])
    parts = []
    for block in layout.blocks:
        counts = given[block.features]
        if not block.is_given_label:
            counts = counts.reshape(layout.num_classes, block.size).sum(0)
        parts.append(block.scale * counts.astype(np.float64))
    return np.concatenate(parts)


def locate_cells(layout: SketchLayout, codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each row is counted in a flat sketch: one cell in every block that is told.

    Args:
        layout: where the counts lie.
        codes: encoded rows, ``(n_rows, n_columns)``.

    Returns:
        Shape ``(n_rows, told blocks)``, in the order of ``layout.blocks``.
    """
    given = dict(_find_cells(layout, codes))
    found = np.empty((len(codes), sum(map(layout.is_told, layout.blocks))), dtype=np.int64)
    start, number = 0, 0
    for block in layout.blocks:
        if layout.is_told(block):
            # less the label, where due
            found[:, number] = start + given[block.features] % block.size
            number += 1
        start += block.size
    return found


def _count(
    layout: SketchLayout,
    given: dict[tuple[int, ...], NDArray[Any]],
    codes: NDArray[np.integer],
    weights: Counts | None,
) -> None:
    """Add rows to the counts given the label."""
    for features, cells in _find_cells(layout, codes):
        given[features] += np.bincount(cells, weights, minlength=len(given[features]))


def _find_cells(
    layout: SketchLayout, codes: NDArray[np.integer]
) -> Iterator[tuple[tuple[int, ...], NDArray[np.intp]]]:
    """Yield the features of every block given the label, and the cell of each row in it."""
    labels = codes[:, layout.label_index].astype(np.intp)
    fine = [codes[:, column].astype(np.intp) for column in layout.features]
    grouped = [groups[column] for groups, column in zip(layout.groups, fine, strict=True)]
    with_label = [labels * size + g for size, g in zip(layout.group_sizes, grouped, strict=True)]
    for block in layout.blocks:
        if not block.is_given_label or not layout.is_told(block):
            continue
        if len(block.features) == 2:
            first, second = block.features
            yield (
                block.features,
                with_label[first] * layout.group_sizes[second] + grouped[second],
            )
        else:
            (feature,) = block.features
            yield block.features, labels * len(layout.groups[feature]) + fine[feature]


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
