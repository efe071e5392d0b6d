"""A margin in groups of values, and how far a generator is from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from synthesis.conditions import Restriction
from synthesis.mixing.grouping import Floats, Grouping, Integers
from synthesis.mixing.margins import Margin

if TYPE_CHECKING:
    from synthesis.generator import Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class MarginCells:
    """A margin, and which groups of values each of its cells is made of.

    Attributes:
        margin: what is asked, or was published.
        groupings: of each of its columns.
        cells: the cell of every combination of groups, one dimension for each column.
        shares: of each cell, adding to 1; the last is what is not listed.
    """

    margin: Margin
    groupings: tuple[Grouping, ...]
    cells: Integers
    shares: Floats

    @classmethod
    def of(cls, margin: Margin) -> Self:
        """Cut the columns of a margin as coarsely as it allows.

        Raises:
            InputError: if its shares do not add to 1.
        """
        groupings = tuple(
            Grouping.of(Restriction.all_of(axis.parts[0].column), [axis]) for axis in margin.axes
        )
        cells, shares = margin.split([grouping.parts[0] for grouping in groupings])
        return cls(margin=margin, groupings=groupings, cells=cells, shares=shares)

    def add_up(self, joint: Floats) -> Floats:
        """Return what is told of combinations of groups, by cell."""
        return np.asarray(np.bincount(self.cells.ravel(), joint.ravel(), len(self.shares)))

    def measure(self, generator: Generator) -> float:
        """Return the total variation between the margin and a generator's own, in [0, 1]."""
        with torch.no_grad():
            columns = [each.double().numpy() for each in generator.mixture().columns]
        label = generator.settings.label_index
        parts, classes = columns[label].shape
        weights = (columns[label].T * generator.settings.part_weights / parts).reshape(-1, 1)
        tables = []
        for index, grouping in zip(self.margin.columns, self.groupings, strict=True):
            own = (
                grouping.shares.T[:, None] if index == label else columns[index] @ grouping.shares.T
            )
            size = len(grouping.groups)
            tables.append(np.broadcast_to(own, (classes, parts, size)).reshape(-1, size))
        first, *others = tables
        joint = (weights * first).T @ (others[0] if others else np.ones_like(weights))
        found = self.add_up(joint)
        return float(np.abs(found / found.sum() - self.shares).sum() / 2)
