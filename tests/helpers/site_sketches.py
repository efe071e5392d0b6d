"""Noisy sketches of sites that are alike, and of sites that lean the other way."""

from __future__ import annotations

import numpy as np
from tiny_world import SCHEMA, draw_codes, make_layout

from server.pooling.grouped_pool import GroupedSketchPool
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.collect import Answers
from strategies.protocol import STATISTICS
from strategies.validation import Reply
from synthesis.layout import compute_sketch

LAYOUT = make_layout()
NOISE = 0.5


def noisy_sketch(codes: np.ndarray, seed: int) -> PooledSketch:
    counts = compute_sketch(LAYOUT, codes.astype(np.int16), np.ones(len(codes)))
    noise = np.random.default_rng(seed).normal(0, NOISE * LAYOUT.sensitivity, len(counts))
    return PooledSketch(values=counts + noise, noise_variance=NOISE**2)


def sketch_of(rows: int, seed: int, *, mirrored: bool = False) -> PooledSketch:
    codes = draw_codes(rows, seed)
    if mirrored:  # all columns lean the other way on the first
        codes[:, 1:] = np.array(SCHEMA.sizes)[1:] - 1 - codes[:, 1:]
    return noisy_sketch(codes, seed)


def pool(sketches: dict[int, PooledSketch]) -> PooledSketch:
    return PooledSketch(
        values=np.sum([each.values for each in sketches.values()], axis=0),
        noise_variance=sum(each.noise_variance for each in sketches.values()),
    )


def fold(sketches: dict[int, PooledSketch], most: int = 4) -> Answers:
    """What a pool makes of the sketches, each of which is a reply of its node."""
    made = GroupedSketchPool(
        LAYOUT, lambda node, number: None, least_noise=lambda epsilon: 0.0, most_groups=most
    )
    valid = {}
    for node, sketch in sketches.items():
        noise = {protocol.NOISE_MULTIPLIER: sketch.noise_variance**0.5, protocol.PLAN_EPSILON: 1.0}
        reply = Reply(arrays={STATISTICS: sketch.values.astype(np.float32)}, config=noise)
        kept = made.take(node, reply)
        assert isinstance(kept, Reply)
        valid[node] = kept
    answers = Answers(valid=valid, rejected={}, seconds=0.0, bytes_down=0, bytes_up=0)
    return made.seal(answers)
