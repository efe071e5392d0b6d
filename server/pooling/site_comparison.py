"""How consistent sites are, told from their private sketches: which differ, and in what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouping import FormingGroup, Grouping
from server.pooling.share_tests import compare_shares, find_beyond
from strategies.aggregation import PooledSketch
from synthesis.layout import SketchLayout

_NAMES: Final = ("differences", "from_others", "from_group", "p_values", "distances")

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteComparison:
    """Sites beside each other, in the order of their nodes.

    Attributes:
        differences: mean squares of standardised differences, about 1 for sites that are alike,
            ``(sites, sites)``; 0 on the diagonal.
        from_others: the same between a site and all others together, ``(sites,)``.
        from_group: the same between a site and the others of its group; nan for a site alone.
        p_values: per site and statistic, of its shares against those of all other sites,
            ``(sites, statistics)``: the columns, then the pairs of ``layout.pairs``.
        distances: total variation between the same shares, in [0, 1], of the same shape; noise
            makes it larger.
    """

    differences: Floats
    from_others: Floats
    from_group: Floats
    p_values: Floats
    distances: Floats

    @property
    def conflicts(self) -> NDArray[np.bool_]:
        """Which shares differ beyond noise and the draw of people, at ``LEVEL`` for all of them."""
        return find_beyond(self.p_values)

    def to_arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, to be kept."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return what ``to_arrays`` gave."""
        return cls(**{name: arrays[name].astype(np.float64) for name in _NAMES})


def compare_sites(
    layout: SketchLayout,
    sketches: Mapping[int, PooledSketch],
    groups: Sequence[FormingGroup],
    grouping: Grouping,
) -> SiteComparison:
    """Compare every site with every other, with all others, and with those of its group.

    Args:
        layout: where the counts lie.
        sketches: of at least two sites, by node.
        groups: the groups that were formed of them.
        grouping: that formed them.
    """
    sites = grouping.list_sites(sketches)
    differences = np.zeros((len(sites), len(sites)))
    for one, other in combinations(range(len(sites)), 2):
        differences[one, other] = grouping.measure(sites[one], sites[other]).square
    others = [grouping.add([each for each in sites if each is not site]) for site in sites]
    shares = [[grouping.find_shares(each) for each in several] for several in (sites, others)]
    tests = [
        [compare_shares(*pair) for pair in zip(mine, theirs, strict=True)]
        for mine, theirs in zip(*shares, strict=True)
    ]
    return SiteComparison(
        differences=differences + differences.T,
        from_others=np.array(
            [grouping.measure(site, rest).square for site, rest in zip(sites, others, strict=True)]
        ),
        from_group=np.array([_measure_in_group(site, sites, groups, grouping) for site in sites]),
        p_values=np.array([[p_value for p_value, _ in row] for row in tests]),
        distances=np.array([[distance for _, distance in row] for row in tests]),
    )


def _measure_in_group(
    site: FormingGroup,
    sites: Sequence[FormingGroup],
    groups: Sequence[FormingGroup],
    grouping: Grouping,
) -> float:
    mine = next(group for group in groups if site.nodes[0] in group.nodes)
    rest = [each for each in sites if each is not site and each.nodes[0] in mine.nodes]
    return grouping.measure(site, grouping.add(rest)).square if rest else float("nan")
