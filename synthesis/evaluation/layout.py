"""Which counts of the hold-out a site releases, and how far one unit can move them.

All cells are public: they follow from the schema alone. A unit is a record, or a person whose rows
weigh at most one together; it adds at most one to each block, whatever its rows say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthesis.layout import Counts, Groups, group_cells
from synthesis.pairs import Pair
from synthesis.schema import Schema

COARSE_GROUPS = 8
"""Groups of a column at most in the two-way counts; a fine cell costs as much noise as a coarse."""
MAX_PAIRS = 1000
"""Pairs of columns at most; where there are more, that many are spread evenly over all of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationLayout:
    """Where the one-way and two-way counts of the hold-out lie, from public facts alone.

    Attributes:
        sizes: codes of every column.
        label_index: position of the label among the columns.
        groups: per column, label included, the coarse group of each of its codes.
    """

    sizes: tuple[int, ...]
    label_index: int
    groups: tuple[Groups, ...]

    @classmethod
    def from_schema(cls, schema: Schema) -> EvaluationLayout:
        """Return the layout that the schema implies."""
        columns = schema.columns
        return cls(
            sizes=schema.sizes,
            label_index=schema.label_index,
            groups=tuple(group_cells(c, COARSE_GROUPS, group_levels=True) for c in columns),
        )

    @cached_property
    def group_sizes(self) -> tuple[int, ...]:
        """Coarse groups of every column."""
        return tuple(int(groups.max()) + 1 for groups in self.groups)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of columns that have a block, near ones and far ones, which no sketch measured."""
        pairs = list(combinations(range(len(self.sizes)), 2))
        kept = min(len(pairs), MAX_PAIRS)
        return tuple(pairs[number * len(pairs) // kept] for number in range(kept))

    @property
    def pair_sizes(self) -> tuple[int, ...]:
        """Cells of every pair's block."""
        return tuple(self.group_sizes[a] * self.group_sizes[b] for a, b in self.pairs)

    @property
    def one_way_sensitivity(self) -> float:
        """L2 change of all one-way counts together when one unit is added or removed."""
        return float(np.sqrt(len(self.sizes)))

    @property
    def two_way_sensitivity(self) -> float:
        """L2 change of all two-way counts together when one unit is added or removed."""
        return float(np.sqrt(len(self.pairs)))


def compute_one_way(
    layout: EvaluationLayout, codes: NDArray[np.integer], weights: Counts | None = None
) -> Counts:
    """Count every column at full resolution; exact, and private until noise is added.

    Args:
        layout: where the counts lie.
        codes: encoded rows, ``(n_rows, n_columns)``; ``n_rows`` may be 0.
        weights: of the rows, ``(n_rows,)``, those of a unit adding up to at most one; 1 each when
            left out.

    Returns:
        Shape ``(sum(layout.sizes),)``, column after column.
    """
    return np.concatenate(
        [_count(codes[:, i], size, weights) for i, size in enumerate(layout.sizes)]
    )


def compute_two_way(
    layout: EvaluationLayout, codes: NDArray[np.integer], weights: Counts | None = None
) -> Counts:
    """Count every pair of columns on coarse groups; exact, and private until noise is added.

    Args and weights are those of :func:`compute_one_way`.

    Returns:
        Shape ``(sum(layout.pair_sizes),)``, pair after pair.
    """
    coarse = [groups[codes[:, i].astype(np.int64)] for i, groups in enumerate(layout.groups)]
    return np.concatenate(
        [
            _count(coarse[a] * layout.group_sizes[b] + coarse[b], size, weights)
            for (a, b), size in zip(layout.pairs, layout.pair_sizes, strict=True)
        ]
    )


def split_blocks(flat: Counts, sizes: tuple[int, ...]) -> Iterator[Counts]:
    """Yield the blocks of these sizes, which are all of ``flat``, along its last axis."""
    start = 0
    for size in sizes:
        yield flat[..., start : start + size]
        start += size


def _count(cells: NDArray[np.integer], size: int, weights: Counts | None) -> Counts:
    counts = np.bincount(cells.astype(np.int64), weights=weights, minlength=size)
    return counts.astype(np.float64)
