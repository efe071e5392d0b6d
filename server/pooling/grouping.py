"""Which sites are alike, told from their private sketches alone.

One generator for the sum of all sketches has the least noise; one for each site has no error from
sites unlike it. Groups lie between: sites are joined, the closest first, as long as chance explains
how their sketches differ, or there are too many groups.

Sites that are alike have the same shares, so these are averaged by how exactly each site tells
them (inverse variances): a small site, or one with a small epsilon, adds little noise to others.
Sites of which any column or pair differs beyond noise are added up: then each counts by its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from server.pooling.share_tests import LEVEL, Shares, compare_shares, find_shares
from strategies.aggregation import PooledSketch, sum_in_any_order
from synthesis.coverage import Told, combine_told, coverage_of, spread
from synthesis.layout import SketchLayout
from synthesis.targets import estimate_rows, expected_shares, make_targets

STRAYS = 4.0
"""Standard deviations beyond 1 from which sites stay apart. What makes them unlike may still be far
less than their noise; but the fit takes much of the noise away again, and nothing of what is lost
by describing unlike sites as one."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far apart two sketches are.

    Attributes:
        square: mean square of standardised differences of shares, about 1 for sites alike.
        stray: standard deviation of that, at most, where sites are alike.
    """

    square: float
    stray: float

    @property
    def is_apart(self) -> bool:
        """Whether the two are unlike: chance does not explain it."""
        return self.square >= 1.0 + STRAYS * self.stray


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchGroup:
    """Sites whose sketches are one.

    Attributes:
        nodes: the sites, in ascending order.
        sketch: of all their rows.
        rows: how many these are, >= 1.
    """

    nodes: tuple[int, ...]
    sketch: PooledSketch
    rows: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FormingGroup(SketchGroup):
    """A group that may grow.

    Attributes:
        drawn: how many rows drawn afresh would tell shares as exactly, noise aside; <= ``rows``.
        are_alike: whether its sites' sketches differ by little more than noise.
    """

    drawn: float
    are_alike: bool = True


class Grouping:
    """Forms groups of sites, and measures how far apart sketches are.

    Args:
        layout: where the counts lie.
        pooled: sum of all sketches: how large a count is, where columns are independent, tells how
            far it strays because other people are counted.
    """

    def __init__(self, layout: SketchLayout, pooled: PooledSketch) -> None:
        self._layout = layout
        noise_std = pooled.noise_variance**0.5 * layout.sensitivity
        targets = make_targets(
            layout, pooled.values, noise_std, coverage_of(layout, pooled.coverage)
        )
        several = expected_shares(layout, targets.class_shares, targets.one_way)
        self._shares = [np.maximum(shares, 0.0) for shares in several]
        self._noise = sum(b.size * (layout.sensitivity / b.scale) ** 2 for b in layout.blocks)

    def make_group(self, nodes: tuple[int, ...], sketch: PooledSketch) -> FormingGroup:
        """Make a group of sites from the sum of their sketches."""
        rows = estimate_rows(
            self._layout, sketch.values, coverage_of(self._layout, sketch.coverage)
        )
        return FormingGroup(nodes=tuple(sorted(nodes)), sketch=sketch, rows=rows, drawn=rows)

    def list_sites(self, sketches: Mapping[int, PooledSketch]) -> list[FormingGroup]:
        """Make a group of every site, in the order of their nodes."""
        return [self.make_group((node,), sketch) for node, sketch in sorted(sketches.items())]

    def add(self, groups: Sequence[FormingGroup]) -> FormingGroup:
        """Make one group of some, at least one, whose shares may differ: its sketch is the sum."""
        nodes = tuple(node for group in groups for node in group.nodes)
        found = self.make_group(nodes, self._sum(groups))
        return replace(found, are_alike=len(groups) == 1)

    def _sum(self, groups: Sequence[FormingGroup]) -> PooledSketch:
        variance = sum(sorted(group.sketch.noise_variance for group in groups))
        if all(group.sketch.coverage is None for group in groups):
            values = sum_in_any_order(group.sketch.values for group in groups)
            return PooledSketch(values=values, noise_variance=variance)
        classes = self._layout.num_classes
        values, coverage = combine_told(
            self._layout,
            [
                Told(
                    told=coverage_of(self._layout, group.sketch.coverage).told,
                    counts=group.sketch.values,
                    variance=group.sketch.noise_variance,
                    classes=np.full(classes, group.rows / classes),  # shares as they are
                    class_std=0.0,
                )
                for group in groups
            ],
        )
        return PooledSketch(values=values, noise_variance=variance, coverage=coverage.to_vector())

    def average(self, one: FormingGroup, other: FormingGroup) -> FormingGroup:
        """Make one group of two that have the same shares."""
        precision = [1 / self._variance(each) for each in (one, other)]
        rows = one.rows + other.rows
        values, variance, drawn = np.zeros(self._layout.dimension), 0.0, 0.0
        for each, weight in zip((one, other), np.array(precision) / sum(precision), strict=True):
            factor = weight * rows / each.rows
            values = values + factor * each.sketch.values
            variance += factor**2 * each.sketch.noise_variance
            drawn += weight**2 / each.drawn
        return FormingGroup(
            nodes=tuple(sorted(one.nodes + other.nodes)),
            sketch=PooledSketch(values=values, noise_variance=float(variance)),
            rows=rows,
            drawn=float(1 / drawn),
        )

    def _variance(self, group: FormingGroup) -> float:
        """Return the variance of all shares together: of the noise, and of the draw of people."""
        noise = self._noise * group.sketch.noise_variance / group.rows**2
        return noise + len(self._layout.blocks) / group.drawn

    def find_shares(self, group: FormingGroup) -> list[Shares | None]:
        """Return the shares of all columns and pairs."""
        return find_shares(self._layout, group.sketch, rows=group.rows, drawn=group.drawn)

    def do_conflict(self, one: FormingGroup, other: FormingGroup) -> bool:
        """Return whether any share differs beyond noise, at ``LEVEL`` for all together."""
        pairs = list(zip(self.find_shares(one), self.find_shares(other), strict=True))
        return min(compare_shares(*pair)[0] for pair in pairs) < LEVEL / len(pairs)

    def measure(self, one: FormingGroup, other: FormingGroup) -> Difference:
        """Measure how far apart two sketches are.

        What is expected of a difference is the noise of both sketches, and that people are drawn
        (as a Poisson count varies). Blocks that one of the two lacks do not count; the mean square
        is 0 where they have none in common.

        The mean of n squares of independent normal differences has the variance 2 / n. Noise is
        independent from count to count; but all blocks count the same people, so what the draw of
        people makes of one count tells at most as much again of each other block.
        """
        total, cells, drawn_squares = 0.0, 0, 0.0
        covers = [coverage_of(self._layout, each.sketch.coverage) for each in (one, other)]
        for number, (mine, theirs, block, shares) in enumerate(
            zip(
                self._layout.split(one.sketch.values),
                self._layout.split(other.sketch.values),
                self._layout.blocks,
                self._shares,
                strict=True,
            )
        ):
            if not all(cover.told[number] for cover in covers):
                continue
            scale = (self._layout.sensitivity / block.scale) ** 2
            noise = sum(
                spread(np.square(cover.noise[number]), block)
                * (scale * each.sketch.noise_variance / each.rows**2)
                for each, cover in zip((one, other), covers, strict=True)
            )
            drawn = sum(
                shares / (each.drawn * spread(cover.rows[number], block))
                for each, cover in zip((one, other), covers, strict=True)
            )
            gaps = np.square(mine / one.rows - theirs / other.rows)
            total += float((gaps / (noise + drawn)).sum())
            drawn_squares += float(np.square(drawn / (noise + drawn)).sum())
            cells += block.size
        shared = 1.0 + (len(self._layout.blocks) - 1) * drawn_squares / max(cells, 1)
        return Difference(square=total / max(cells, 1), stray=(2.0 * shared / max(cells, 1)) ** 0.5)

    def form(self, sketches: Mapping[int, PooledSketch], most: int) -> list[FormingGroup]:
        """Join sites, the closest first, and return the groups, the largest first.

        Nothing depends on the numbers of nodes, which are chance.

        Args:
            sketches: by node.
            most: groups at most, >= 1.
        """
        groups = self.list_sites(sketches)
        found = {
            _key(one, other): self.measure(one, other) for one, other in combinations(groups, 2)
        }
        while len(groups) > 1:
            one, other = min(
                combinations(groups, 2), key=lambda pair: found[_key(pair[0], pair[1])].square
            )
            is_apart = found[_key(one, other)].is_apart
            if is_apart and len(groups) <= most:
                break
            are_alike = one.are_alike and other.are_alike and not is_apart
            if are_alike and not self.do_conflict(one, other):
                joined = self.average(one, other)
            else:
                joined = self.add([one, other])
            groups = [group for group in groups if group not in (one, other)]
            found |= {_key(joined, group): self.measure(joined, group) for group in groups}
            groups.append(joined)
        return sorted(groups, key=lambda group: -group.rows)


def _key(one: FormingGroup, other: FormingGroup) -> frozenset[tuple[int, ...]]:
    return frozenset((one.nodes, other.nodes))
