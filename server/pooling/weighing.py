"""How much each site's generator counts where a rule weighs them."""

from __future__ import annotations

from collections.abc import Mapping

from server.pooling.sketch_pool import sizes_of
from strategies import protocol
from strategies.collect import Answers
from strategies.validation import Reply

SMALLEST_WEIGHT = 0.01
"""Least weight of a site's generator, as a share of an equal one: noise may hide small sites."""


def weigh_sites(hello: Mapping[int, Reply], sketches: Answers) -> dict[int, float]:
    """Return each site's size: its own number where that is public, else what its sketch suggests.

    Args:
        hello: the answers to hello.
        sketches: sealed by a pool.
    """
    counts = {  # of sites whose policy says that theirs is public
        node: int(str(hello[node].config[protocol.UNIT_COUNT]))
        for node in sketches.valid
        if protocol.UNIT_COUNT in hello[node].config
    }
    sizes = sizes_of(sketches) | {node: max(1.0, count) for node, count in counts.items()}
    least = SMALLEST_WEIGHT * sum(sizes.values()) / len(sizes)
    return {node: max(size, least) for node, size in sizes.items()}
