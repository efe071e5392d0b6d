"""Questions to the real ClientApp of one site, as a coordinator could put them."""

from __future__ import annotations

import json
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from tiny_sites import make_config, make_context
from tiny_world import SCHEMA, draw_codes, make_generator

from client.app import app
from simulations.grid import LocalGrid
from strategies import protocol
from strategies.protocol import ARRAYS, CONFIG, POOLED_SKETCH, STATISTICS
from synthesis.evaluation import EvaluationLayout, ScoreNetwork, train_score_network
from synthesis.layout import SketchLayout
from synthesis.schema import Schema

DIMENSION = SketchLayout.from_schema(SCHEMA).dimension
_numbers = count(1)


def be_inside_a_run() -> None:
    """Flower makes messages only inside a run; the app itself is called without the grid's lid."""
    LocalGrid(app, 1)


def make_message(kind: str, config: dict[str, Any], **records: Any) -> Message:
    named = {name.replace("_", "-"): record for name, record in records.items()}
    message = Message(RecordDict({CONFIG: ConfigRecord(config), **named}), 101, kind)
    message.metadata.__dict__["_message_id"] = str(next(_numbers))
    return message


def send(home: Path, kind: str, config: dict[str, Any], **records: Any) -> Message:
    return app(make_message(kind, config, **records), make_context(home))


def hello_config(schema: Schema = SCHEMA, **changes: Any) -> dict[str, Any]:
    first = {
        protocol.SCHEMA_DIGEST: schema.digest(),
        protocol.SOFTWARE_VERSION: "0.1.0",
        protocol.PROTOCOL: protocol.PROTOCOL_VERSION,
    }
    return make_config() | first | {k.replace("_", "-"): v for k, v in changes.items()}


def ask_hello(home: Path, **changes: Any) -> Message:
    return send(home, protocol.QUERY_HELLO, hello_config(**changes))


def ask_sketch(home: Path, **changes: Any) -> Message:
    return send(home, protocol.QUERY_SKETCH, make_config(**changes))


def to_record(weights: dict[str, Any]) -> ArrayRecord:
    return ArrayRecord({name: Array(np.asarray(weight)) for name, weight in weights.items()})


def train_records(source: Schema | tuple[int, ...] = SCHEMA) -> dict[str, ArrayRecord]:
    pooled = Array(np.ones(DIMENSION, np.float32))
    return {
        ARRAYS: ArrayRecord(make_generator(source).state_dict()),
        POOLED_SKETCH: ArrayRecord({STATISTICS: pooled}),
    }


def ask_train(home: Path, records: dict[str, ArrayRecord] | None = None, **changes: Any) -> Message:
    config = make_config(**{"server_round": 1, "pooled_noise_std": 3.0} | changes)
    return send(home, protocol.TRAIN, config, **(train_records() if records is None else records))


@cache
def _score_network() -> ScoreNetwork:
    layout, rng = EvaluationLayout.from_schema(SCHEMA), torch.Generator().manual_seed(0)
    return train_score_network(layout, draw_codes(200), rng=rng)


def score_weights() -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in _score_network().state_dict().items()}


def ask_evaluate(home: Path, weights: dict[str, Any] | None = None, **changes: Any) -> Message:
    config = make_config(**{"evaluation": True} | changes)
    arrays = to_record(score_weights() if weights is None else weights)
    return send(home, protocol.QUERY_EVALUATE, config, **{ARRAYS: arrays})


def ask_close(home: Path, ending: str = protocol.FINISHED, **changes: Any) -> Message:
    return send(home, protocol.QUERY_CLOSE, make_config(**{"ending": ending} | changes))


def numbers_of(reply: Message) -> bytes:
    """Everything that an answer says, to the bit, but for the receipt, which is newer each time."""
    settings = {k: v for k, v in settings_of(reply).items() if k != protocol.RECEIPT}
    arrays = {
        f"{record}/{name}": (array.dtype, tuple(array.shape), array.data.hex())
        for record, values in reply.content.array_records.items()
        for name, array in values.items()
    }
    return json.dumps([settings, arrays], sort_keys=True).encode()


def code_of(reply: Message) -> str:
    assert reply.has_error() and not reply.has_content()
    assert reply.error.code == protocol.REFUSAL_ERROR
    return str(reply.error.reason)


def settings_of(reply: Message) -> dict[str, Any]:
    return dict(reply.content.config_records[CONFIG])
