"""A study small enough to check by hand: each site adds its partition id plus one."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from strategies import (
    ArraySpec,
    FederatedGenerator,
    ask,
    check_incoming,
    check_outgoing,
    make_messages,
    pool_sketches,
    wait_for_nodes,
)
from strategies.fields import fields_of
from strategies.protocol import (
    ACCEPTED,
    ARRAYS,
    CONFIG,
    EVALUATE_ACTION,
    EVALUATION,
    HELLO_ACTION,
    NOISE_MULTIPLIER,
    NOISE_OF,
    PLAN_EPSILON,
    POOLED_SKETCH,
    QUERY_EVALUATE,
    QUERY_HELLO,
    QUERY_SKETCH,
    REFUSAL_CODE,
    SCHEMA_DIGEST,
    SERVER_ROUND,
    SKETCH,
    SKETCH_ACTION,
    SOFTWARE_VERSION,
    STATISTICS,
    TRAIN,
    RefusalCode,
)
from strategies.wire_field import Direction, WireType

N_STATISTICS = 5
DIGEST = "0" * 64
_EXAMPLES: dict[WireType, Any] = {
    WireType.STRING: "toy",
    WireType.BOOLEAN: True,
    WireType.INTEGER: 2,
    WireType.FLOAT: 0.5,
}
WEIGHTS = {"layer.weight": np.zeros((2, 3), np.float32), "layer.bias": np.ones(3, np.float32)}

client_app = ClientApp()


def public_settings(message_type: str) -> ConfigRecord:
    """Every setting the table lists for this message, with an example value."""
    rows = [f for f in fields_of(message_type, Direction.DOWN) if f.record == CONFIG]
    return ConfigRecord({f.key: _EXAMPLES[f.type] for f in rows if f.key != SERVER_ROUND})


def site_number(context: Context) -> int:
    return int(context.node_config["partition-id"])


@client_app.query(HELLO_ACTION)
def hello(message: Message, context: Context) -> Message:
    check_incoming(message)
    answer = {
        SCHEMA_DIGEST: DIGEST,
        SOFTWARE_VERSION: "0.1.0",
        ACCEPTED: True,
        REFUSAL_CODE: RefusalCode.NONE.value,
    }
    return leave(RecordDict({CONFIG: ConfigRecord(answer)}), message)


@client_app.query(SKETCH_ACTION)
def sketch(message: Message, context: Context) -> Message:
    check_incoming(message)
    values = np.full(N_STATISTICS, 10.0 ** site_number(context))
    context.state["rounds"] = ConfigRecord({"done": 0})
    content = RecordDict(
        {
            SKETCH: ArrayRecord({STATISTICS: Array(values)}),
            CONFIG: ConfigRecord({NOISE_MULTIPLIER: 2.0, PLAN_EPSILON: 0.99}),
        }
    )
    return leave(content, message)


@client_app.query(EVALUATE_ACTION)
def evaluate(message: Message, context: Context) -> Message:
    check_incoming(message)
    counts = {purpose: Array(np.zeros(N_STATISTICS)) for purpose in NOISE_OF}
    noise = dict.fromkeys(NOISE_OF.values(), 2.0)
    return leave(
        RecordDict({EVALUATION: ArrayRecord(counts), CONFIG: ConfigRecord(noise)}), message
    )


@client_app.train()
def train(message: Message, context: Context) -> Message:
    check_incoming(message)
    server_round = message.content.config_records[CONFIG][SERVER_ROUND]
    if (POOLED_SKETCH in message.content) != (server_round == 1):
        raise RuntimeError("the pooled sketch belongs to round 1")
    state = context.state.config_records["rounds"]
    if state["done"] != server_round - 1 or context.run_config.get("toy") != "yes":
        raise RuntimeError("state or run config lost")
    state["done"] = int(server_round)
    arrays = {
        name: Array((a.numpy() + np.float32(site_number(context) + 1)).astype(np.float32))
        for name, a in message.content.array_records[ARRAYS].items()
    }
    return leave(RecordDict({ARRAYS: ArrayRecord(arrays)}), message)


def leave(content: RecordDict, message: Message) -> Message:
    check_outgoing(content, message)
    return Message(content, reply_to=message)


def make_server_app(results: dict[str, Any], *, num_sites: int, minimum: int) -> ServerApp:
    """A ServerApp that leaves what it found in ``results``."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        nodes = wait_for_nodes(grid, minimum, 30, expected=num_sites)
        question = RecordDict({CONFIG: public_settings(QUERY_HELLO)})
        hello = ask(grid, make_messages(nodes, QUERY_HELLO, question, ttl_s=60), deadline_s=60)
        hello.require(minimum, "a hello")
        request = RecordDict({CONFIG: public_settings(QUERY_SKETCH)})
        sketches = ask(
            grid,
            make_messages(hello.valid, QUERY_SKETCH, request, ttl_s=60),
            deadline_s=60,
            record=SKETCH,
            expected={STATISTICS: ArraySpec(shape=(N_STATISTICS,), dtypes=("float64",))},
        )
        sketches.require(minimum, "a sketch")
        pooled = pool_sketches(
            [r.arrays[STATISTICS] for r in sketches.valid.values()],
            [float(r.config[NOISE_MULTIPLIER]) for r in sketches.valid.values()],
        )
        strategy = FederatedGenerator(
            nodes=sketches.valid,
            minimum_nodes=minimum,
            deadline_s=60,
            pooled_sketch=ArrayRecord({STATISTICS: Array(pooled.values)}),
            on_event=results.setdefault("events", []).append,
        )
        result = strategy.start(
            grid,
            ArrayRecord({k: Array(v) for k, v in WEIGHTS.items()}),
            num_rounds=2,
            train_config=public_settings(TRAIN),
        )
        exam = RecordDict({CONFIG: public_settings(QUERY_EVALUATE), ARRAYS: result.arrays})
        spec = ArraySpec(shape=(N_STATISTICS,), dtypes=("float64",))
        results["evaluation"] = ask(
            grid,
            make_messages(sketches.valid, QUERY_EVALUATE, exam, ttl_s=60),
            deadline_s=60,
            record=EVALUATION,
            expected=dict.fromkeys(NOISE_OF, spec),
        )
        results["hello"] = hello
        results["sketches"] = sketches
        results["pooled"] = pooled
        results["rounds"] = strategy.rounds
        results["arrays"] = {k: a.numpy() for k, a in result.arrays.items()}
        results["run_config"] = dict(context.run_config)

    return server_app
