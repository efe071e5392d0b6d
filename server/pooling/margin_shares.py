"""The shares of a margin's cells, told from a noisy sketch that counts by groups of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouping import FormingGroup
from server.pooling.share_tests import Shares, find_shares
from strategies.aggregation import PooledSketch
from synthesis.coverage import coverage_of
from synthesis.layout import SketchLayout
from synthesis.mixing.margin_cells import MarginCells
from synthesis.targets import average_totals

Floats = NDArray[np.float64]


class SketchMargins:
    """What one sketch tells of margins.

    Args:
        layout: where the counts lie.
        sketch: of a site, or of several together.
        splits: per feature, how the codes of a group share what is counted of it, ``(codes,)``.
    """

    def __init__(
        self, layout: SketchLayout, sketch: FormingGroup, splits: Sequence[Floats]
    ) -> None:
        self._layout, self._sketch, self._splits = layout, sketch, splits
        self._shares = find_shares(layout, sketch.sketch, rows=sketch.rows, drawn=sketch.drawn)
        self._counts = list(layout.split(sketch.sketch.values))
        self._coverage = coverage_of(layout, sketch.sketch.coverage)
        self._std = sketch.sketch.noise_variance**0.5 * layout.sensitivity

    def tell(self, cells: MarginCells) -> Shares | None:
        """Return the shares of a margin's cells; None if the sketch does not tell of them.

        Their noise is at most what is said: that of a group which a cell cuts is taken whole.
        """
        columns = cells.margin.columns
        several = zip(columns, cells.groupings, strict=True)
        maps = [self._map(column, grouping.shares) for column, grouping in several]
        told = self._shares[columns[0]] if len(columns) == 1 else self._tell_pair(*columns)
        if told is not None and len(columns) == 1 and ((maps[0] > 0) & (maps[0] < 1)).any():
            fine = self._tell_codes(columns[0], told.rows)
            told, maps = (told, maps) if fine is None else (fine, [cells.groupings[0].shares])
        if told is None:
            return None
        return Shares(
            values=_fold(cells, maps, told.values),
            noise=_fold(cells, maps, told.noise),
            rows=told.rows,
        )

    def _map(self, column: int, shares: Floats) -> Floats:
        """Return which part of each group of the sketch each group of a margin has."""
        if column == self._layout.label_index:
            return shares
        feature = self._layout.features.index(column)
        found = np.zeros((self._layout.group_sizes[feature], len(shares)))
        np.add.at(found, self._layout.groups[feature], (shares * self._splits[feature]).T)
        return found.T

    def _tell_codes(self, column: int, rows: float) -> Shares | None:
        """Return the shares of a column's codes, each by itself; None if no block has them."""
        feature = self._layout.features.index(column)
        for block, counts, noise in zip(
            self._layout.blocks, self._counts, self._coverage.noise, strict=True
        ):
            if block.features == (feature,) and not block.is_given_label:
                values = counts[0] / self._sketch.rows
                std = self._std * noise[0] / block.scale / self._sketch.rows
                return Shares(values=values, noise=np.full(len(values), std**2), rows=rows)
        return None

    def _tell_pair(self, one: int, other: int) -> Shares | None:
        """Return the shares of pairs of groups, ``(groups, groups)``."""
        layout = self._layout
        if one == layout.label_index:
            return self._tell_with_label(other)
        if other == layout.label_index:
            return _transposed(self._tell_with_label(one))
        pair = (layout.features.index(one), layout.features.index(other))
        ordered = (min(pair), max(pair))
        if ordered not in layout.pairs:
            return None
        told = self._shares[len(layout.sizes) + layout.pairs.index(ordered)]
        if told is None:
            return None
        shape = tuple(layout.group_sizes[feature] for feature in ordered)
        found = Shares(
            values=told.values.reshape(shape), noise=told.noise.reshape(shape), rows=told.rows
        )
        return found if pair == ordered else _transposed(found)

    def _tell_with_label(self, column: int) -> Shares | None:
        """Return the shares of a feature's groups by class, ``(classes, groups)``."""
        alone = self._shares[column]
        if alone is None:
            return None
        totals, precision = average_totals(
            self._layout,
            self._counts,
            self._layout.features.index(column),
            is_given_label=True,
            coverage=self._coverage,
        )
        rows = self._sketch.rows
        return Shares(
            values=totals / rows, noise=self._std**2 / precision / rows**2, rows=alone.rows
        )


def find_splits(layout: SketchLayout, pooled: PooledSketch) -> list[Floats]:
    """Return how the codes of every group share what is counted of it, per feature.

    Args:
        layout: where the counts lie.
        pooled: sum of all sketches, which tells it best.
    """
    splits = [np.ones(len(groups)) for groups in layout.groups]
    for block, counts in zip(layout.blocks, layout.split(pooled.values), strict=True):
        if len(block.features) == 1 and not block.is_given_label:
            splits[block.features[0]] = np.maximum(counts[0], 0.0) + 1e-9
    return [
        split / np.bincount(groups, split)[groups]
        for split, groups in zip(splits, layout.groups, strict=True)
    ]


def _fold(cells: MarginCells, maps: Sequence[Floats], told: Floats) -> Floats:
    """Add up what is told of the sketch's groups by the cells of a margin."""
    for axis, each in enumerate(maps):
        told = np.moveaxis(np.tensordot(each, told, axes=(1, axis)), 0, axis)
    return cells.add_up(told)


def _transposed(told: Shares | None) -> Shares | None:
    if told is None:
        return None
    return Shares(values=told.values.T, noise=told.noise.T, rows=told.rows)
