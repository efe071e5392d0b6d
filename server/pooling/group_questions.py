"""What sites are asked in a round where they are in groups: to improve the members of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecordValues

from server.pooling.grouping import SketchGroup
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.parts import Parts
from strategies.protocol import STATISTICS
from strategies.round_question import OwnQuestion, RoundQuestions
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout


def settings_of_all(noise_std: float) -> dict[str, ConfigRecordValues]:
    """Return what a site is told where all sites are one group.

    Args:
        noise_std: of every entry of the pooled sketch.
    """
    return {protocol.POOLED_NOISE_STD: noise_std, protocol.SITE_GROUPS: 1}


def ask_groups(
    layout: SketchLayout | ImageLayout, pooled: PooledSketch, groups: Sequence[SketchGroup]
) -> RoundQuestions:
    """Return what nodes are told: where sites are in groups, each of its own.

    A site improves the members of its own group, held to the sketch of the sites that are like it.

    Args:
        layout: where the counts lie.
        pooled: sum of all sketches.
        groups: in the order in which the generator has them.
    """
    if isinstance(layout, ImageLayout):  # no sketch holds their rounds
        return RoundQuestions()
    if len(groups) == 1:
        return RoundQuestions(pooled_sketch=_to_record(pooled))
    own = {
        node: OwnQuestion(
            settings={
                protocol.POOLED_NOISE_STD: group.sketch.noise_variance**0.5 * layout.sensitivity,
                protocol.SITE_GROUPS: len(groups),
            },
            pooled_sketch=_to_record(group.sketch),
        )
        for group in groups
        for node in group.nodes
    }
    return RoundQuestions(own=own)


def parts_of(groups: Sequence[SketchGroup]) -> Parts:
    """Return which part of the generator each node improves: that of its group.

    Where there are several groups the last part describes all sites together, and stays as it was
    fitted: a site would pull it towards its own rows.
    """
    nodes = [group.nodes for group in groups]
    return Parts(nodes if len(groups) == 1 else [*nodes, ()])


def _to_record(sketch: PooledSketch) -> ArrayRecord:
    more = [] if sketch.coverage is None else [sketch.coverage]
    values = np.concatenate([sketch.values, *more])
    return ArrayRecord({STATISTICS: Array(values.astype(np.float32))})
