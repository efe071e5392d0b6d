"""Which sites are alike, told from their private sketches alone.

One generator for the sum of all sketches has the least noise; one for each site has no error from
sites unlike it. Groups lie between: sites are joined, the closest first, as long as their sketches
differ by little more than the noise in them explains, or there are too many groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from strategies.aggregation import PooledSketch, sum_in_any_order
from synthesis.layout import SketchLayout
from synthesis.targets import estimate_rows, expected_shares, make_targets

APART = 2.0
"""Mean square of standardised differences from which groups stay apart. There, what tells them
apart is as large as the noise: joined, they would err as much from that as they gain."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchGroup:
    """Sites whose sketches are added up.

    Attributes:
        nodes: the sites, in ascending order.
        sketch: sum of their noisy sketches.
        rows: how many rows it suggests, >= 1.
    """

    nodes: tuple[int, ...]
    sketch: PooledSketch
    rows: float


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
        targets = make_targets(layout, pooled.values, noise_std)
        several = expected_shares(layout, targets.class_shares, targets.one_way)
        self._shares = [np.maximum(shares, 0.0) for shares in several]

    def make_group(self, nodes: tuple[int, ...], sketch: PooledSketch) -> SketchGroup:
        """Make a group of sites from the sum of their sketches."""
        rows = estimate_rows(self._layout, sketch.values)
        return SketchGroup(nodes=tuple(sorted(nodes)), sketch=sketch, rows=rows)

    def join(self, groups: Sequence[SketchGroup]) -> SketchGroup:
        """Make one group of some, at least one."""
        nodes = tuple(node for group in groups for node in group.nodes)
        values = sum_in_any_order(group.sketch.values for group in groups)
        variance = sum(sorted(group.sketch.noise_variance for group in groups))
        return self.make_group(nodes, PooledSketch(values=values, noise_variance=variance))

    def measure(self, one: SketchGroup, other: SketchGroup) -> float:
        """Return the mean square of standardised differences of shares: about 1 for sites alike.

        What is expected of a difference is the noise of both sketches, and that people are drawn
        (as a Poisson count varies).
        """
        total = 0.0
        for mine, theirs, block, shares in zip(
            self._layout.split(one.sketch.values),
            self._layout.split(other.sketch.values),
            self._layout.blocks,
            self._shares,
            strict=True,
        ):
            scale = (self._layout.sensitivity / block.scale) ** 2
            variance = sum(
                scale * each.sketch.noise_variance / each.rows**2 + shares / each.rows
                for each in (one, other)
            )
            total += float((np.square(mine / one.rows - theirs / other.rows) / variance).sum())
        return total / self._layout.dimension

    def form(self, sketches: Mapping[int, PooledSketch], most: int) -> list[SketchGroup]:
        """Join sites, the closest first, and return the groups, the largest first.

        Nothing depends on the numbers of nodes, which are chance.

        Args:
            sketches: by node.
            most: groups at most, >= 1.
        """
        groups = [self.make_group((node,), sketch) for node, sketch in sorted(sketches.items())]
        found = {
            _key(one, other): self.measure(one, other) for one, other in combinations(groups, 2)
        }
        while len(groups) > 1:
            one, other = min(
                combinations(groups, 2), key=lambda pair: found[_key(pair[0], pair[1])]
            )
            if found[_key(one, other)] >= APART and len(groups) <= most:
                break
            joined = self.join([one, other])
            groups = [group for group in groups if group not in (one, other)]
            found |= {_key(joined, group): self.measure(joined, group) for group in groups}
            groups.append(joined)
        return sorted(groups, key=lambda group: -group.rows)


def _key(one: SketchGroup, other: SketchGroup) -> frozenset[tuple[int, ...]]:
    return frozenset((one.nodes, other.nodes))
