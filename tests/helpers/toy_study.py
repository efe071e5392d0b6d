"""A study small enough to check by hand: each site adds its partition id plus one."""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from privacy import Receipt, SigningKey
from strategies import (
    Answers,
    ArraySpec,
    FederatedGenerator,
    PooledSketch,
    SketchSum,
    ask,
    check_incoming,
    check_outgoing,
    make_messages,
    wait_for_nodes,
)
from strategies.fields import fields_of
from strategies.protocol import (
    ACCEPTED,
    ARRAYS,
    CANARIES,
    CANARY_COINS,
    CANARY_COMMITMENT,
    CANARY_SALT,
    CLOSE_ACTION,
    CONFIG,
    DISCRIMINATOR,
    ENDING,
    EVALUATE_ACTION,
    EVALUATION,
    FINISHED,
    HELLO_ACTION,
    MISSING_COLUMNS,
    NOISE_MULTIPLIER,
    NOISE_OF,
    OPEN_ACTION,
    PLAN_EPSILON,
    POLICY_EPSILON,
    POLICY_NOISE,
    POLICY_ROUNDS,
    POOLED_SKETCH,
    PUBLIC_KEY,
    QUERY_CLOSE,
    QUERY_EVALUATE,
    QUERY_HELLO,
    QUERY_OPEN,
    QUERY_SKETCH,
    RECEIPT,
    REFUSAL_CODE,
    RETURNS_DISCRIMINATOR,
    SCHEMA_DIGEST,
    SERVER_ROUND,
    SKETCH,
    SKETCH_ACTION,
    SOFTWARE_VERSION,
    STATISTICS,
    TRAIN,
    UNIT,
    UNIT_COUNT,
    RefusalCode,
)
from strategies.receipts import ReceiptBook
from strategies.rules import MdGan, Rule, RuleSettings, make_rule
from strategies.wire_field import Direction, WireType

N_STATISTICS = 5
DIGEST = "0" * 64
_entries = count(1)  # ledgers only grow, over all studies of one process
_EXAMPLES: dict[WireType, Any] = {
    WireType.STRING: "toy",
    WireType.BOOLEAN: True,
    WireType.INTEGER: 2,
    WireType.FLOAT: 0.5,
}
WEIGHTS = {"layer.weight": np.zeros((2, 3), np.float32), "layer.bias": np.ones(3, np.float32)}

client_app = ClientApp()


def public_settings(message_type: str, is_central: bool = False) -> ConfigRecord:
    """Every setting the table lists for this message, with an example value."""
    rows = [f for f in fields_of(message_type, Direction.DOWN) if f.record == CONFIG]
    examples = {f.key: _EXAMPLES[f.type] for f in rows if f.key != SERVER_ROUND and not f.optional}
    if RETURNS_DISCRIMINATOR in examples:
        examples[RETURNS_DISCRIMINATOR] = is_central
    return ConfigRecord(examples | ({ENDING: FINISHED} if ENDING in examples else {}))


def site_number(context: Context) -> int:
    return int(context.node_config["partition-id"])


def key_of(number: int) -> SigningKey:
    return SigningKey.from_seed(bytes([number + 1]) * 32)


def make_receipt(number: int) -> str:
    """The receipt of a site whose ledger has just grown."""
    entries = next(_entries)
    head = sha256(f"{number} {entries}".encode()).hexdigest()
    return Receipt.sign(key_of(number), ledger=DIGEST, entries=entries, head=head).to_text()


@client_app.query(HELLO_ACTION)
def hello(message: Message, context: Context) -> Message:
    check_incoming(message)
    answer = {
        SCHEMA_DIGEST: DIGEST,
        SOFTWARE_VERSION: "0.1.0",
        ACCEPTED: True,
        REFUSAL_CODE: RefusalCode.NONE.value,
        PUBLIC_KEY: key_of(site_number(context)).public.hex,
        RECEIPT: make_receipt(site_number(context)),
        UNIT: "record",
        POLICY_EPSILON: 1.0,
        POLICY_NOISE: 0.3,
        POLICY_ROUNDS: 10,
        UNIT_COUNT: 413,
        MISSING_COLUMNS: "1",
    }
    return leave(RecordDict({CONFIG: ConfigRecord(answer)}), message)


@client_app.query(SKETCH_ACTION)
def sketch(message: Message, context: Context) -> Message:
    check_incoming(message)
    values = np.full(N_STATISTICS, 10.0 ** site_number(context), dtype=np.float32)
    context.state["rounds"] = ConfigRecord({"done": 0})
    public = {NOISE_MULTIPLIER: 2.0, PLAN_EPSILON: 0.99, CANARIES: 50, CANARY_COMMITMENT: DIGEST}
    config = ConfigRecord(public | {RECEIPT: make_receipt(site_number(context))})
    content = {SKETCH: ArrayRecord({STATISTICS: Array(values)}), CONFIG: config}
    return leave(RecordDict(content), message)


@client_app.query(EVALUATE_ACTION)
def evaluate(message: Message, context: Context) -> Message:
    check_incoming(message)
    counts = {purpose: Array(np.zeros(N_STATISTICS, dtype=np.float32)) for purpose in NOISE_OF}
    noise = dict.fromkeys(NOISE_OF.values(), 2.0)
    config = ConfigRecord(noise | {RECEIPT: make_receipt(site_number(context))})
    return leave(RecordDict({EVALUATION: ArrayRecord(counts), CONFIG: config}), message)


@client_app.query(OPEN_ACTION)
def open_coins(message: Message, context: Context) -> Message:
    check_incoming(message)
    receipt = make_receipt(site_number(context))
    config = ConfigRecord({CANARY_SALT: DIGEST, CANARY_COINS: "0" * 14, RECEIPT: receipt})
    return leave(RecordDict({CONFIG: config}), message)


@client_app.query(CLOSE_ACTION)
def close(message: Message, context: Context) -> Message:
    check_incoming(message)
    number = site_number(context)
    config = ConfigRecord({RECEIPT: make_receipt(number)})
    return leave(RecordDict({CONFIG: config}), message)


@client_app.train()
def train(message: Message, context: Context) -> Message:
    check_incoming(message)
    server_round = message.content.config_records[CONFIG][SERVER_ROUND]
    wants_judge = message.content.config_records[CONFIG][RETURNS_DISCRIMINATOR]
    if (POOLED_SKETCH in message.content) != (server_round == 1 and not wants_judge):
        raise RuntimeError("the pooled sketch belongs to round 1")
    state = context.state.config_records["rounds"]
    if state["done"] != server_round - 1 or context.run_config.get("toy") != "yes":
        raise RuntimeError("state or run config lost")
    state["done"] = int(server_round)
    arrays = {
        name: Array((a.numpy() + np.float32(site_number(context) + 1)).astype(np.float32))
        for name, a in message.content.array_records[ARRAYS].items()
    }
    config = ConfigRecord({RECEIPT: make_receipt(site_number(context))})
    record = DISCRIMINATOR if wants_judge else ARRAYS
    return leave(RecordDict({record: ArrayRecord(arrays), CONFIG: config}), message)


def leave(content: RecordDict, message: Message) -> Message:
    check_outgoing(content, message, discriminator=message.content.get(ARRAYS))
    return Message(content, reply_to=message)


def put(
    grid: Grid,
    nodes: list[int],
    kind: str,
    receipts: ReceiptBook | None,
    *,
    weights: ArrayRecord | None = None,
    record: str | None = None,
    names: tuple[str, ...] = (),
) -> Answers:
    """Ask all nodes; their receipts are looked at only where there is a book."""
    content = RecordDict({CONFIG: public_settings(kind)})
    if weights is not None:
        content[ARRAYS] = weights
    messages = make_messages(nodes, kind, content, ttl_s=60)
    spec = ArraySpec(shape=(N_STATISTICS,), dtypes=("float32",))
    answers = ask(
        grid,
        messages if receipts is None else receipts.attach(messages),
        deadline_s=60,
        record=record,
        expected=dict.fromkeys(names, spec),
    )
    return answers if receipts is None else receipts.screen(answers)


def to_record(pooled: np.ndarray) -> ArrayRecord:
    return ArrayRecord({STATISTICS: Array(pooled.astype(np.float32))})


def add_up(sketches: Answers) -> PooledSketch:
    total = SketchSum()
    for reply in sketches.valid.values():
        total.add(reply.arrays[STATISTICS], float(reply.config[NOISE_MULTIPLIER]))
    return total.pooled


def rule_for(is_central: bool) -> Rule:
    """The mean, or a rule that wants discriminators and does nothing with them."""
    rule = make_rule("mdgan" if is_central else "fedavg", RuleSettings())
    if isinstance(rule, MdGan):
        rule.equip(lambda start, judges, rounds: list(start), WEIGHTS)
    return rule


def make_server_app(
    results: dict[str, Any],
    *,
    num_sites: int,
    minimum: int,
    receipts: ReceiptBook | None = None,
    is_central: bool = False,
) -> ServerApp:
    """A ServerApp that leaves what it found in ``results``; a central one asks for judges."""
    server_app = ServerApp()

    @server_app.main()
    def main(grid: Grid, context: Context) -> None:
        nodes = wait_for_nodes(grid, minimum, 30, expected=num_sites)
        hello = put(grid, nodes, QUERY_HELLO, receipts)
        hello.require(minimum, "a hello")
        nodes = list(hello.valid)
        sketches = put(grid, nodes, QUERY_SKETCH, receipts, record=SKETCH, names=(STATISTICS,))
        sketches.require(minimum, "a sketch")
        pooled = add_up(sketches)
        strategy = FederatedGenerator(
            nodes=sketches.valid,
            minimum_nodes=minimum,
            deadline_s=60,
            pooled_sketch=to_record(pooled.values),
            rule=rule_for(is_central),
            receipts=receipts,
            on_event=results.setdefault("events", []).append,
        )
        initial = ArrayRecord({k: Array(v) for k, v in WEIGHTS.items()})
        settings = public_settings(TRAIN, is_central)
        result = strategy.start(grid, initial, num_rounds=2, train_config=settings)
        nodes = list(sketches.valid)
        results["evaluation"] = put(
            grid,
            nodes,
            QUERY_EVALUATE,
            receipts,
            weights=result.arrays,
            record=EVALUATION,
            names=tuple(NOISE_OF),
        )
        for kind in (QUERY_OPEN, QUERY_CLOSE):
            put(grid, nodes, kind, receipts)
        results.update(hello=hello, sketches=sketches, pooled=pooled, rounds=strategy.rounds)
        results["arrays"] = {k: a.numpy() for k, a in result.arrays.items()}
        results["run_config"] = dict(context.run_config)

    return server_app
