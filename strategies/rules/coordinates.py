"""Robust rules that look at each weight by itself (Yin et al. 2018, definitions 1 and 2).

What they give lies within the range of the good sites' values, weight by weight.
"""

from __future__ import annotations

import numpy as np

from strategies.rules.held import HeldRule, Stack, Vector


class Median(HeldRule):
    """The middle value of every weight."""

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 2 f + 1: good sites must be more than half."""
        return 2 * bad_sites + 1

    def combine(self, stack: Stack) -> Vector:
        """Return the median of every column."""
        return middle_mean(stack, (len(stack) - 1) // 2)


class TrimmedMean(HeldRule):
    """The mean of every weight without its largest and its smallest values, one per bad site."""

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 2 f + 1: as many are cut at both ends, and one must be left."""
        return 2 * bad_sites + 1

    def combine(self, stack: Stack) -> Vector:
        """Return the mean of every column without its ends."""
        return middle_mean(stack, self.bad_sites)


def middle_mean(stack: Stack, cut: int) -> Vector:
    """Return the mean of every column without ``cut`` values at either end.

    Values are added up in ascending order, so the order of rows does not matter.
    """
    kept = np.sort(stack, axis=0)[cut : len(stack) - cut]
    mean: Vector = kept.mean(axis=0, dtype=np.float64)
    return mean
