"""Robust rules that believe whoever has many near neighbours.

Krum and Multi-Krum: Blanchard et al. 2017, "Machine Learning with Adversaries"; Bulyan: El Mhamdi
et al. 2018, "The Hidden Vulnerability of Distributed Learning in Byzantium".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strategies.rules.held import HeldRule, Stack, Vector

Indices = NDArray[np.intp]


class MultiKrum(HeldRule):
    """The mean of all replies but as many as may be bad: those farthest from their neighbours."""

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 2 f + 3."""
        return 2 * bad_sites + 3

    def combine(self, stack: Stack) -> Vector:
        """Return the mean of the chosen rows."""
        mean: Vector = stack[self.select(stack)].mean(axis=0, dtype=np.float64)
        return mean

    def select(self, stack: Stack) -> Indices:
        """Return the n - f rows with the nearest neighbours."""
        best = rank_rows(square_distances(stack), self.bad_sites)
        return np.sort(best[: len(stack) - self.bad_sites])

    def combine_shares(self, stack: Stack, weights: Vector) -> Vector:
        """Return the mean of the selected sketches, weighed by their rows."""
        mean: Vector = np.average(stack.astype(np.float64), axis=0, weights=weights)
        return mean


class Krum(MultiKrum):
    """The one reply with the nearest neighbours; of sketches, all that Multi-Krum would believe."""

    def combine(self, stack: Stack) -> Vector:
        """Return the row with the nearest neighbours."""
        best = rank_rows(square_distances(stack), self.bad_sites)[0]
        chosen: Vector = stack[best].astype(np.float64)
        return chosen


class Bulyan(MultiKrum):
    """Of the replies that Krum chooses one after another, the mean near each weight's median."""

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 4 f + 3."""
        return 4 * bad_sites + 3

    def combine(self, stack: Stack) -> Vector:
        """Return, for every column, the mean of the n - 4 f chosen values nearest their median."""
        ordered = np.sort(stack[self._choose(stack)], axis=0)
        middle = np.median(ordered, axis=0)
        near = np.argsort(np.abs(ordered - middle), axis=0, kind="stable")
        number = len(ordered) - 2 * self.bad_sites
        kept = np.sort(np.take_along_axis(ordered, near[:number], axis=0), axis=0)
        mean: Vector = kept.mean(axis=0, dtype=np.float64)
        return mean

    def _choose(self, stack: Stack) -> Indices:
        distances = square_distances(stack)
        left = np.arange(len(stack))
        chosen: list[int] = []
        while len(chosen) < len(stack) - 2 * self.bad_sites:
            best = int(rank_rows(distances[np.ix_(left, left)], self.bad_sites)[0])
            chosen.append(int(left[best]))
            left = np.delete(left, best)
        return np.sort(np.array(chosen, dtype=np.intp))


def square_distances(stack: Stack) -> Vector:
    """Return the squared distance of any two rows, ``(n, n)``, from their differences."""
    rows = stack.astype(np.float64)
    distances = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        for j in range(i):
            difference = row - rows[j]
            distances[i, j] = distances[j, i] = np.sum(np.square(difference))
    return distances


def rank_rows(distances: Vector, bad: int) -> Indices:
    """Return the rows by the sum of squared distances to their n - f - 2 nearest, least first.

    At least one neighbour counts. Two rows may be each other's only one: then the sum over all
    others decides, and not which site has the smaller number.
    """
    number = max(1, len(distances) - bad - 2)
    ordered = np.sort([np.delete(row, i) for i, row in enumerate(distances)], axis=1)
    return np.lexsort((ordered.sum(axis=1), ordered[:, :number].sum(axis=1)))
