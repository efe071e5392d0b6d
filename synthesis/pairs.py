"""Which pairs of features a sketch measures, by the schema alone."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]

MAX_PAIRS = 2000
"""Pairs at most: all of 63 features. More would cost time and, in blocks of one column at full
resolution, noise; fewer leave links to chance that nobody measured (figures: docs/method.md)."""
MAX_CELLS = 1 << 21
"""Counts of all pairs together at most, which bounds the memory of a fit and a site's message."""


def choose_pairs(
    group_sizes: Sequence[int],
    num_classes: int,
    *,
    max_pairs: int = MAX_PAIRS,
    max_cells: int = MAX_CELLS,
) -> tuple[Pair, ...]:
    """Return the pairs that have a block: all if they are few, else every feature's neighbours.

    Neighbours are those in the order of the schema's columns, the nearest first. How far they reach
    is the same for all features, and the furthest that both limits allow; it may be nothing.

    Args:
        group_sizes: groups of every feature, in the schema's order.
        num_classes: levels of the label, each of which has counts of its own.
        max_pairs: most pairs.
        max_cells: most counts of all pairs together.
    """
    chosen: list[Pair] = []
    cells = 0
    for distance in range(1, len(group_sizes)):
        ring = [(a, a + distance) for a in range(len(group_sizes) - distance)]
        cells += num_classes * sum(group_sizes[a] * group_sizes[b] for a, b in ring)
        if len(chosen) + len(ring) > max_pairs or cells > max_cells:
            break
        chosen += ring
    return tuple(sorted(chosen))
