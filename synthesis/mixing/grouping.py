"""Groups of a column's values: what margins of a target tell apart, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synthesis.conditions import Restriction
from synthesis.encoding import Placed

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

REST = -1
"""Number of the values that an axis does not list."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis:
    """One column of a margin: the parts of it that are listed, which do not overlap.

    Attributes:
        column: index of the column.
        parts: what each listed key stands for.
        keys: how each is written.
    """

    column: int
    parts: tuple[Restriction, ...]
    keys: tuple[str, ...]

    def find_cells(self, placed: Placed) -> Integers:
        """Return the part that holds each cell of the column, or ``REST``."""
        return np.where(placed.missing, self.find_missing(), self.find(placed.places))

    def find(self, places: Integers) -> Integers:
        """Return the part that holds each place, or ``REST``."""
        spans = [(*span, part) for part, each in enumerate(self.parts) for span in each.ranges]
        if not spans:
            return np.full(len(places), REST, dtype=np.int64)
        first, last, part = np.array(sorted(spans), dtype=np.int64).T
        at = np.searchsorted(first, places, side="right") - 1
        inside = (at >= 0) & (places <= last[at])
        return np.where(inside, part[at], REST)

    def find_missing(self) -> int:
        """Return the part that holds missing values, or ``REST``."""
        holders = [part for part, each in enumerate(self.parts) if each.missing]
        return holders[0] if holders else REST

    def find_overlap(self) -> tuple[str, str] | None:
        """Return the keys of two parts that overlap, if any do."""
        spans = sorted(
            (*span, part) for part, each in enumerate(self.parts) for span in each.ranges
        )
        for (_, last, part), (first, _, other) in pairwise(spans):
            if first <= last:
                return self.keys[part], self.keys[other]
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """A column cut into groups so that every part of some axes is a union of groups.

    Attributes:
        groups: disjoint; together all that conditions leave of the column.
        parts: per axis, the part that holds each group, or ``REST``; ``(axes, groups)``.
    """

    groups: tuple[Restriction, ...]
    parts: Integers

    @classmethod
    def of(cls, left: Restriction, axes: Sequence[Axis]) -> Self:
        """Cut what conditions left of a column as coarsely as the axes allow."""
        whole = Axis(column=0, parts=(left,), keys=("",))
        spans = [span for each in (whole, *axes) for part in each.parts for span in part.ranges]
        edges = np.unique([place for first, last in spans for place in (first, last + 1)])
        edges = edges.astype(np.int64)
        starts = edges[:-1][whole.find(edges[:-1]) != REST]
        ends = edges[np.searchsorted(edges, starts, side="right")] - 1
        signatures = np.array([axis.find(starts) for axis in axes]).reshape(len(axes), -1)
        ranges: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for first, last, signature in zip(starts, ends, signatures.T.tolist(), strict=True):
            ranges.setdefault(tuple(signature), []).append((int(first), int(last)))
        of_missing = tuple(axis.find_missing() for axis in axes)
        if left.missing:
            ranges.setdefault(of_missing, [])
        return cls(
            groups=tuple(
                replace(left, ranges=tuple(found), missing=left.missing and key == of_missing)
                for key, found in ranges.items()
            ),
            parts=np.array(list(ranges), dtype=np.int64).reshape(-1, len(axes)).T,
        )

    @cached_property
    def shares(self) -> Floats:
        """The probability that a draw for each code is in each group, ``(groups, codes)``."""
        return np.stack([group.shares for group in self.groups])
