"""Questions to the real ClientApp of one site, as a coordinator could put them."""

from __future__ import annotations

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
from synthesis.evaluation import EvaluationLayout, train_score_network
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


def train_records(sizes: tuple[int, ...] = SCHEMA.sizes) -> dict[str, ArrayRecord]:
    pooled = Array(np.ones(DIMENSION, np.float32))
    return {
        ARRAYS: ArrayRecord(make_generator(sizes).state_dict()),
        POOLED_SKETCH: ArrayRecord({STATISTICS: pooled}),
    }


def ask_train(home: Path, records: dict[str, ArrayRecord] | None = None, **changes: Any) -> Message:
    config = make_config(**{"server_round": 1, "pooled_noise_std": 3.0} | changes)
    return send(home, protocol.TRAIN, config, **(train_records() if records is None else records))


def score_weights(schema: Schema = SCHEMA) -> dict[str, torch.Tensor]:
    layout = EvaluationLayout.from_schema(schema)
    rng = torch.Generator().manual_seed(0)
    return dict(train_score_network(layout, draw_codes(200), rng=rng).state_dict())


def ask_evaluate(home: Path, weights: dict[str, Any] | None = None, **changes: Any) -> Message:
    config = make_config(**{"evaluation": True} | changes)
    arrays = to_record(score_weights() if weights is None else weights)
    return send(home, protocol.QUERY_EVALUATE, config, **{ARRAYS: arrays})


def code_of(reply: Message) -> str:
    assert reply.has_error() and not reply.has_content()
    assert reply.error.code == protocol.REFUSAL_ERROR
    return str(reply.error.reason)


def settings_of(reply: Message) -> dict[str, Any]:
    return dict(reply.content.config_records[CONFIG])
