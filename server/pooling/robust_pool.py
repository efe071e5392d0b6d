"""The sites' sketches where some may be bad: held until all are there, and combined by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.pooling.grouped_pool import GroupedSketchPool
from server.pooling.partial_pool import Missing, PartialSketchPool
from server.pooling.sketch_pool import Contributions, LeastNoise, SketchPool
from server.public_target import PublicTarget
from strategies.aggregation import FloatArray, PooledSketch
from strategies.collect import Answers
from strategies.robust_sketch import SiteSketches, count_differing, pool_robustly
from strategies.rules import HeldRule, Rule
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout

_DIFFERING = "differing"


class RobustSketchPool(SketchPool):
    """Holds all sketches as float32, so its memory grows with sites, and combines them by a rule.

    Half of every canary is taken out of its own site's sketch first, as in every pool: with a sum
    it would do to take them out in the end, and a rule that chooses and cuts would cut for them.

    Args:
        layout: where the counts lie.
        contributions: what the canaries of a site add to its sketch.
        least_noise: smallest noise multiplier that a site may state with its epsilon.
        rule: of the study.
        rng: public randomness.
    """

    def __init__(
        self,
        layout: SketchLayout | ImageLayout,
        contributions: Contributions,
        *,
        least_noise: LeastNoise,
        rule: HeldRule,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(layout, contributions, least_noise=least_noise)
        self._rule = rule
        self._rng = rng
        self._held: dict[int, tuple[FloatArray, float, int]] = {}

    def _fold(self, node: int, sketch: FloatArray, noise: float, canaries: int) -> None:
        self._held[node] = (sketch.astype(np.float32), noise, canaries)

    def _combine(self, nodes: Sequence[int]) -> tuple[PooledSketch, dict[str, NDArray[Any]]]:
        sketches = SiteSketches.of(
            [self._held[node][0] for node in nodes],
            [self._rows[node] for node in nodes],
            [self._held[node][1] for node in nodes],
            canaries=[self._held[node][2] for node in nodes],
        )
        self._held = {}
        differing = count_differing(sketches, self._layout.sensitivity)
        return pool_robustly(sketches, self._rule, self._rng), {_DIFFERING: differing}


def make_pool(
    layout: SketchLayout | ImageLayout,
    contributions: Contributions,
    rule: Rule,
    *,
    least_noise: LeastNoise,
    most_groups: int,
    rng: np.random.Generator,
    missing: Missing,
    target: PublicTarget | None = None,
) -> SketchPool:
    """Return what takes the sketches in: combined by a robust rule, else added up.

    Args:
        layout: where the counts lie.
        contributions: what the canaries of a site add to its sketch.
        rule: of the study.
        least_noise: smallest noise multiplier that a site may state with its epsilon.
        most_groups: groups of sites at most; a robust rule has one.
        rng: public randomness.
        missing: columns that sites lack, by node; none with a robust rule.
        target: what every site is held to, if anything; none is where sketches are not compared.
    """
    if missing and isinstance(layout, SketchLayout):
        return PartialSketchPool(
            layout, contributions, least_noise=least_noise, missing=missing, target=target
        )
    if isinstance(rule, HeldRule):
        return RobustSketchPool(layout, contributions, least_noise=least_noise, rule=rule, rng=rng)
    if isinstance(layout, ImageLayout):  # images are described together, whatever their site
        return SketchPool(layout, contributions, least_noise=least_noise)
    return GroupedSketchPool(
        layout,
        contributions,
        least_noise=least_noise,
        most_groups=most_groups,
        target=target,
    )


def find_differing(answers: Answers) -> tuple[int, ...] | None:
    """Return the nodes whose sketch differs from at least half of the others beyond chance.

    Where nearly all do, it is not one site that is bad: sites are unlike each other.

    Args:
        answers: sealed by a pool.

    Returns:
        Nodes, ascending; None where sketches were folded in and nobody compared them.
    """
    if _DIFFERING not in answers.sums:
        return None
    counts = answers.sums[_DIFFERING]
    return tuple(
        node
        for node, count in zip(answers.valid, counts, strict=True)
        if count >= max(1.0, (len(counts) - 1) / 2)
    )
