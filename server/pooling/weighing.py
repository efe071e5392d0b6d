"""How much each site's generator counts where a rule weighs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.pooling.grouped_pool import find_comparison
from server.pooling.sketch_pool import sizes_of
from strategies import protocol
from strategies.collect import Answers
from strategies.rules import Rule, Similarity
from strategies.validation import Reply

FAR = 2.0
"""Mean square of standardised differences up to which a site keeps its declared weight: there, what
tells it apart from the others is as large as the noise."""
SMALLEST_WEIGHT = 0.01
"""Least weight of a site's generator, as a share of an equal one: noise may hide small sites."""


@dataclass(frozen=True, kw_only=True)
class SiteWeight:
    """How much a site counts in the rounds; only what it is beside the other sites' matters.

    Attributes:
        declared: its rows: its own number where that is public, else what its sketch suggests.
        used: what is left of them where the rule discounts sites unlike the others.
        distance: of its sketch, for which they were discounted; None where nothing was compared.
    """

    declared: float
    used: float
    distance: float | None = None


def weigh_sites(hello: Mapping[int, Reply], sketches: Answers, rule: Rule) -> dict[int, SiteWeight]:
    """Return each site's weight in the rounds.

    Args:
        hello: the answers to hello.
        sketches: sealed by a pool.
        rule: of the study.
    """
    sizes = _find_sizes(hello, sketches)
    if not isinstance(rule, Similarity):
        return {node: SiteWeight(declared=size, used=size) for node, size in sizes.items()}
    distances = _find_distances(sketches)
    return {
        node: SiteWeight(
            declared=size,
            used=size * rule.discount(distances.get(node, 0.0) / FAR),
            distance=distances.get(node),
        )
        for node, size in sizes.items()
    }


def _find_sizes(hello: Mapping[int, Reply], sketches: Answers) -> dict[int, float]:
    counts = {  # of sites whose policy says that theirs is public
        node: int(str(hello[node].config[protocol.UNIT_COUNT]))
        for node in sketches.valid
        if protocol.UNIT_COUNT in hello[node].config
    }
    sizes = sizes_of(sketches) | {node: max(1.0, count) for node, count in counts.items()}
    least = SMALLEST_WEIGHT * sum(sizes.values()) / len(sizes)
    return {node: max(size, least) for node, size in sizes.items()}


def _find_distances(sketches: Answers) -> dict[int, float]:
    """Return how far each site is from all others, if there were not too many to compare.

    That is the distance from the whole, too: the difference from the whole is a fixed part of it,
    and so is its noise.
    """
    compared = find_comparison(sketches)
    if compared is None:
        return {}
    return dict(zip(sorted(sketches.valid), compared.from_others.tolist(), strict=True))
