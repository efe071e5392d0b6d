"""Sketches of few sites, held until all are there: then those of sites alike become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouping import Grouping, SketchGroup
from server.pooling.site_comparison import SiteComparison, compare_sites
from server.pooling.sketch_pool import Contributions, LeastNoise, SketchPool, pooled_of, sizes_of
from server.pooling.target_tests import hold_sites
from server.public_target import PublicTarget
from strategies.aggregation import FloatArray, PooledSketch
from strategies.collect import Answers
from synthesis.layout import SketchLayout

MOST_SITES: Final = 16
MOST_NUMBERS: Final = 1 << 24
"""Counts of all sketches that are held, 128 MiB of them."""
_GROUP_OF, _NOISE, _GROUP = "group-of", "group-noise", "group/"
COMPARED: Final = "compared/"


class GroupedSketchPool(SketchPool):
    """Adds sketches up as they come, and holds them beside that while they are few.

    Args:
        layout: where the counts lie.
        contributions: what the canaries of a site add to its sketch.
        least_noise: smallest noise multiplier that a site may state with its epsilon.
        most_groups: groups of sites at most, >= 1.
        target: what every site is held to, if anything.
    """

    def __init__(
        self,
        layout: SketchLayout,
        contributions: Contributions,
        *,
        least_noise: LeastNoise,
        most_groups: int,
        target: PublicTarget | None = None,
    ) -> None:
        super().__init__(layout, contributions, least_noise=least_noise)
        self._columns = layout
        self._most_groups = most_groups
        self._target = target
        self._held: dict[int, PooledSketch] | None = {}

    def _fold(self, node: int, sketch: FloatArray, noise: float, canaries: int) -> None:
        super()._fold(node, sketch, noise, canaries)
        if self._held is None:
            return
        values = sketch.astype(np.float64)
        self._held[node] = PooledSketch(values=values, noise_variance=noise**2)
        if len(self._held) > MOST_SITES or len(self._held) * len(values) > MOST_NUMBERS:
            self._held = None

    def _combine(self, nodes: Sequence[int]) -> tuple[PooledSketch, dict[str, NDArray[Any]]]:
        pooled, more = super()._combine(nodes)
        if self._held is None or len(self._held) < 2:
            return pooled, more
        grouping = Grouping(self._columns, pooled)
        groups = grouping.form(self._held, self._most_groups)
        compared = compare_sites(self._columns, self._held, groups, grouping)
        more |= {f"{COMPARED}{name}": each for name, each in compared.to_arrays().items()}
        more |= hold_sites(self._columns, self._target, pooled, grouping.list_sites(self._held))
        pooled = grouping.add(groups).sketch
        if len(groups) > 1:
            more[_GROUP_OF] = np.array(
                [[node in group.nodes for group in groups].index(True) for node in nodes]
            )
            more[_NOISE] = np.array([group.sketch.noise_variance for group in groups])
            more |= {f"{_GROUP}{n}": each.sketch.values for n, each in enumerate(groups)}
        self._held = None
        return pooled, more


def find_groups(answers: Answers) -> list[SketchGroup]:
    """Return the groups of sites, the largest first; one of all where none were formed."""
    sizes = sizes_of(answers)
    if _GROUP_OF not in answers.sums:
        return [
            SketchGroup(nodes=tuple(sizes), sketch=pooled_of(answers), rows=sum(sizes.values()))
        ]
    numbers = answers.sums[_GROUP_OF].tolist()
    members: list[list[int]] = [[] for _ in answers.sums[_NOISE]]
    for node, number in zip(answers.valid, numbers, strict=True):
        members[number].append(node)
    return [
        SketchGroup(
            nodes=tuple(nodes),
            sketch=PooledSketch(values=answers.sums[f"{_GROUP}{n}"], noise_variance=float(noise)),
            rows=max(1.0, sum(sizes[node] for node in nodes)),
        )
        for n, (nodes, noise) in enumerate(zip(members, answers.sums[_NOISE], strict=True))
    ]


def find_comparison(answers: Answers) -> SiteComparison | None:
    """Return how sites compare; None where there were too many, or one."""
    arrays = {
        name.removeprefix(COMPARED): array
        for name, array in answers.sums.items()
        if name.startswith(COMPARED)
    }
    return SiteComparison.from_arrays(arrays) if arrays else None
