"""Which pairs of features a sketch measures, by the schema alone."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]

MAX_PAIRS = 2000
"""Pairs at most: all of 63 features. More would cost time and, in blocks of one column at full
resolution, noise; fewer leave links to chance that nobody measured (figures: docs/method.md)."""
MAX_CELLS = 3 << 20
"""Counts of all pairs together at most, given the label and over all. It bounds the memory of a fit
and a site's message."""


def choose_pairs(
    group_sizes: Sequence[int],
    num_classes: int,
    *,
    max_pairs: int = MAX_PAIRS,
    max_cells: int = MAX_CELLS,
) -> tuple[Pair, ...]:
    """Return the pairs that have a block: all if they are few, else some near and some far.

    Features stand in the schema's order on a circle. What is chosen are distances, the same for all
    features and spread evenly from neighbours to those opposite, as many as both limits allow. So
    every feature is in equally many pairs, and no part of the table is left to chance: a fit
    invents links where nothing near is measured, and neighbours often tell the same.

    Args:
        group_sizes: groups of every feature, in the schema's order.
        num_classes: levels of the label, each of which has counts of its own beside those over all.
        max_pairs: most pairs.
        max_cells: most counts of all pairs together.
    """
    num_features = len(group_sizes)
    half = num_features // 2
    rings = [_ring(num_features, distance) for distance in range(1, half + 1)]
    tables = num_classes + 1
    cells = [tables * sum(group_sizes[a] * group_sizes[b] for a, b in ring) for ring in rings]
    for number in range(half, 0, -1):
        places = [i * (half - 1) // max(number - 1, 1) for i in range(number)]
        num_pairs = sum(len(rings[place]) for place in places)
        if num_pairs <= max_pairs and sum(cells[place] for place in places) <= max_cells:
            return tuple(sorted(pair for place in places for pair in rings[place]))
    return ()


def _ring(num_features: int, distance: int) -> list[Pair]:
    """Return all pairs of features this far apart on a circle, each once."""
    pairs = [(first, (first + distance) % num_features) for first in range(num_features)]
    return sorted({(min(pair), max(pair)) for pair in pairs})
