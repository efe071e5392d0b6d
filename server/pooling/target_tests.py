"""How far sketches are from a public target, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouping import FormingGroup
from server.pooling.margin_shares import SketchMargins, find_splits
from server.pooling.share_tests import (
    Shares,
    compare_shares,
    expect_distance,
    find_beyond,
)
from server.pooling.sketch_pool import pooled_of
from server.public_target import PublicTarget
from strategies.aggregation import PooledSketch
from strategies.collect import Answers
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout

_NAMES: Final = ("p_values", "distances", "expected")
_KEPT: Final = "target/"
_PUBLISHED: Final = 1e15
"""Rows that a published share is of: so many that nothing in it is chance."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetTests:
    """Sketches beside a target: in each array a row for each sketch, a column for each margin.

    Attributes:
        p_values: that the margin is the target's; 1 where the sketch does not tell of it.
        distances: total variation from the target, in [0, 1], noise included; nan where it does not
            tell.
        expected: what noise and the draw of people make of that if the margin is the target's.
    """

    p_values: Floats
    distances: Floats
    expected: Floats

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """Which are further than noise explains, at ``LEVEL`` for all together."""
        return find_beyond(self.p_values)

    def above(self, others: Self | None) -> Self:
        """Return these and, below them, others if there are any."""
        if others is None:
            return self
        pairs = {name: (getattr(self, name), getattr(others, name)) for name in _NAMES}
        return type(self)(**{name: np.concatenate(pair) for name, pair in pairs.items()})

    def to_arrays(self, target: PublicTarget) -> dict[str, Floats]:
        """Return the arrays by name, to be kept; names tell which target they are of."""
        return {f"{_KEPT}{target.sha256}/{name}": getattr(self, name) for name in _NAMES}

    @classmethod
    def find(cls, arrays: Mapping[str, NDArray[Any]], target: PublicTarget) -> Self | None:
        """Return what ``to_arrays`` gave, if it is there and of this target."""
        names = {name: f"{_KEPT}{target.sha256}/{name}" for name in _NAMES}
        if not arrays.keys() >= set(names.values()):
            return None
        return cls(**{name: arrays[kept].astype(np.float64) for name, kept in names.items()})


def hold_to_target(
    layout: SketchLayout,
    target: PublicTarget,
    pooled: PooledSketch,
    sketches: Sequence[FormingGroup],
) -> TargetTests:
    """Hold sketches to a target, margin by margin.

    Args:
        layout: where the counts lie.
        target: what was published.
        pooled: sum of all sketches. Where a margin of two columns cuts what a sketch counts
            together, that is split as all sites together have it.
        sketches: of sites, or of all together.
    """
    splits = find_splits(layout, pooled)
    several = [SketchMargins(layout, sketch, splits) for sketch in sketches]
    found = np.array(
        [[_test(told.tell(cells), cells.shares) for cells in target.margins] for told in several]
    )
    return TargetTests(p_values=found[..., 0], distances=found[..., 1], expected=found[..., 2])


def hold_sites(
    layout: SketchLayout,
    target: PublicTarget | None,
    pooled: PooledSketch,
    sites: Sequence[FormingGroup],
) -> dict[str, Floats]:
    """Return what is to be kept of sites held to a target, in their order; nothing without one."""
    if target is None:
        return {}
    return hold_to_target(layout, target, pooled, sites).to_arrays(target)


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldToTarget:
    """A study's sketches beside a public target.

    Attributes:
        target: what was published.
        tests: of all sites together, then of every site, in the order of their nodes, where
            sketches were held by themselves.
    """

    target: PublicTarget
    tests: TargetTests


def hold_study(
    layout: SketchLayout | ImageLayout, target: PublicTarget | None, answers: Answers, rows: float
) -> HeldToTarget | None:
    """Return how far all sites together are from a target, and then each, where that was kept.

    Args:
        layout: where the counts lie; of tables where there is a target.
        target: what was published, if anything.
        answers: sealed by a pool.
        rows: how many all sketches together suggest.
    """
    if target is None or isinstance(layout, ImageLayout):
        return None
    pooled = pooled_of(answers)
    together = FormingGroup(nodes=tuple(answers.valid), sketch=pooled, rows=rows, drawn=rows)
    tests = hold_to_target(layout, target, pooled, [together])
    return HeldToTarget(target=target, tests=tests.above(TargetTests.find(answers.sums, target)))


def _test(told: Shares | None, published: Floats) -> tuple[float, float, float]:
    if told is None:
        return 1.0, float("nan"), float("nan")
    exact = Shares(values=published, noise=np.zeros(len(published)), rows=_PUBLISHED)
    return *compare_shares(told, exact), expect_distance(told, exact)
