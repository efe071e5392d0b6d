"""What sites are asked in a round where they are in groups: to improve the members of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecordValues

from server.pooling.grouping import SketchGroup
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.protocol import STATISTICS
from strategies.round_question import OwnQuestion, RoundQuestions
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout


def settings_of_all(noise_std: float) -> dict[str, ConfigRecordValues]:
    """Return what a site is told of the generator where all sites are one group.

    Args:
        noise_std: of every entry of the pooled sketch.
    """
    return {protocol.POOLED_NOISE_STD: noise_std, protocol.GROUP_SHARES: _shares(1, 0)}


def ask_groups(
    layout: SketchLayout | ImageLayout, pooled: PooledSketch, groups: Sequence[SketchGroup]
) -> RoundQuestions:
    """Return what nodes are told: where sites are in groups, each of its own.

    A site whose group has all the weight draws from, and changes, the members of that group alone,
    and they are held to the sketch of the sites that are like it.

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
                protocol.GROUP_SHARES: _shares(len(groups), number),
            },
            pooled_sketch=_to_record(group.sketch),
        )
        for number, group in enumerate(groups)
        for node in group.nodes
    }
    return RoundQuestions(own=own)


def _to_record(sketch: PooledSketch) -> ArrayRecord:
    more = [] if sketch.coverage is None else [sketch.coverage]
    values = np.concatenate([sketch.values, *more])
    return ArrayRecord({STATISTICS: Array(values.astype(np.float32))})


def _shares(groups: int, own: int) -> str:
    return ":".join("1.0" if number == own else "0.0" for number in range(groups))
