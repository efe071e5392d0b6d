"""A site that answers in the right form what is false: ways to spoil a sketch, and a generator.

Every reply passes all checks. What is not named below stays honest, so a site that spoils weights
has given a good sketch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message
from numpy.typing import NDArray

from client.app import app as honest_app
from simulations.site_app import ClientCallable
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    QUERY_SKETCH,
    ROUNDS,
    SERVER_ROUND,
    SKETCH,
    STATISTICS,
    TRAIN,
)
from strategies.wire_format import format_of, pack_answer, unpack, unpack_answer
from synthesis.layout import SketchLayout

Weights = Mapping[str, NDArray[Any]]
Sketch = NDArray[np.float32]
SpoilSketch = Callable[[SketchLayout, Sketch], NDArray[Any]]
SpoilWeights = Callable[[Weights, Weights, int, int], Weights]
"""From weights received, weights to send, the round and the number of rounds."""


def shift_labels(layout: SketchLayout, sketch: Sketch) -> NDArray[Any]:
    """Say of every class what is true of the next one."""
    parts = zip(layout.blocks, layout.split(sketch.astype(np.float64)), strict=True)
    return np.concatenate([b.scale * np.roll(counts, 1, axis=0).ravel() for b, counts in parts])


def multiply_sketch(layout: SketchLayout, sketch: Sketch) -> NDArray[Any]:
    """Count every row a hundred times, and of every class what is true of the next one."""
    return 100 * shift_labels(layout, sketch)


def draw_weights(received: Weights, honest: Weights, server_round: int, rounds: int) -> Weights:
    """Send normal draws, in every layer as large as its weights."""
    rng = np.random.default_rng(server_round)
    return {name: rng.normal(0.0, w.std(), w.shape) for name, w in received.items()}


def flip_update(received: Weights, honest: Weights, server_round: int, rounds: int) -> Weights:
    """Go the other way, ten times as far."""
    return _go(received, honest, -10.0)


def scale_update(received: Weights, honest: Weights, server_round: int, rounds: int) -> Weights:
    """Go the right way, a hundred times too far."""
    return _go(received, honest, 100.0)


def wait_and_flip(received: Weights, honest: Weights, server_round: int, rounds: int) -> Weights:
    """Be honest until the last round, and then go the other way, thirty times as far."""
    return _go(received, honest, -30.0) if server_round == rounds else honest


class Repeat:
    """Send in every round the answer to the first one."""

    def __init__(self) -> None:
        self._first: Weights | None = None

    def __call__(
        self, received: Weights, honest: Weights, server_round: int, rounds: int
    ) -> Weights:
        """Return what was sent first."""
        if self._first is None:
            self._first = honest
        return self._first


def _go(received: Weights, honest: Weights, times: float) -> Weights:
    return {name: w + times * (honest[name] - w) for name, w in received.items()}


ATTACKS: Final[Mapping[str, tuple[SpoilSketch | None, Callable[[], SpoilWeights] | None]]] = {
    "random weights": (None, lambda: draw_weights),
    "flipped update": (None, lambda: flip_update),
    "100 times the update": (None, lambda: scale_update),
    "stale update": (None, Repeat),
    "two-faced": (None, lambda: wait_and_flip),
    "shifted labels": (shift_labels, None),
    "100 times the sketch": (multiply_sketch, None),
}
"""By name: what becomes of the sketch, and what makes a spoiler of weights for one study."""


def make_bad_app(attack: str, layout: SketchLayout, partition: int) -> ClientCallable:
    """Return a ClientApp that is honest at every site but one.

    Args:
        attack: one of ``ATTACKS``.
        layout: of the sketch.
        partition: number of the bad site, from 0.
    """
    spoil_sketch, make_spoiler = ATTACKS[attack]
    spoil_weights = None if make_spoiler is None else make_spoiler()

    def app(message: Message, context: Context) -> Message:
        reply = honest_app(message, context)
        if context.node_config["partition-id"] != partition or reply.has_error():
            return reply
        kind = message.metadata.message_type
        if kind == QUERY_SKETCH and spoil_sketch is not None:
            sketch = reply.content.array_records[SKETCH][STATISTICS].numpy()
            spoilt = spoil_sketch(layout, sketch).astype(np.float32)
            reply.content[SKETCH] = ArrayRecord({STATISTICS: Array(spoilt)})
        if kind == TRAIN and spoil_weights is not None:
            config = message.content.config_records[CONFIG]
            record = reply.content.array_records[ARRAYS]
            asked, received = format_of(record), _weights_of(message)
            honest = unpack_answer(_weights_of(reply), received, asked)
            weights = spoil_weights(received, honest, *_rounds_of(dict(config)))
            reply.content[ARRAYS] = pack_answer(weights, received, asked)
        return reply

    return app


def _weights_of(message: Message) -> Weights:
    record = message.content.array_records[ARRAYS]
    return unpack({name: array.numpy() for name, array in record.items()})


def _rounds_of(config: Mapping[str, Any]) -> tuple[int, int]:
    return int(config[SERVER_ROUND]), int(config[ROUNDS])
