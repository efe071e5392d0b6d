"""A registered site that answers honestly until its turn comes, and then as it should not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from fake_node import FakeNode
from flwr.app import Array, ArrayRecord, Context, Error, Message, RecordDict
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.task_identity import TaskIdentity
from packets import Packet, bomb, pack, rewrite

from client.app import app
from client.node.keys import load_node_key
from strategies.protocol import ARRAYS, CONFIG, QUERY_HELLO, RECEIPT, SERVER_ROUND, TRAIN

Attack = Callable[[Message, Message], list[Packet]]  # from the question and the honest reply
Arrays = dict[str, np.ndarray]
OTHER = 0x0123456789ABCDEF  # the number of a node that nobody has


@dataclass(kw_only=True)
class HostileSite(FakeNode):
    """A site with a founded folder and its keys.

    Attributes:
        folder: of the site.
        attacks: by type of the question, or ``train-3`` for that of round 3.
    """

    folder: Path
    attacks: dict[str, Attack] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.key = load_node_key(self.folder)

    def reply(self, message: Message) -> list[Packet]:
        metadata = message.metadata
        TaskIdentity.run_id, TaskIdentity.node_id = metadata.run_id, metadata.dst_node_id
        TaskIdentity.task_id = metadata.dst_task_id or 1
        config = {"site-dir": str(self.folder)}
        context = Context(metadata.run_id, metadata.dst_node_id, config, RecordDict(), {})
        kind = metadata.message_type
        if kind == TRAIN:
            kind = f"train-{message.content.config_records[CONFIG][SERVER_ROUND]}"
        honest = app(message, context)
        attack = self.attacks.get(kind)
        return [pack(honest)] if attack is None else attack(message, honest)


def with_arrays(change: Callable[[Arrays], None], record: str = ARRAYS) -> Attack:
    def attack(question: Message, honest: Message) -> list[Packet]:
        arrays = {n: a.numpy().copy() for n, a in honest.content.array_records[record].items()}
        change(arrays)
        honest.content[record] = ArrayRecord({n: Array(a) for n, a in arrays.items()})
        return [pack(honest)]

    return attack


def with_config(**changes: str | float) -> Attack:
    def attack(question: Message, honest: Message) -> list[Packet]:
        config = honest.content.config_records[CONFIG]
        for key, value in changes.items():
            config[key.replace("_", "-")] = value
        return [pack(honest)]

    return attack


def with_content(content: RecordDict) -> Attack:
    return lambda question, honest: [pack(Message(content, reply_to=question))]


def with_error(code: int, reason: str) -> Attack:
    return lambda question, honest: [pack(Message(Error(code, reason), reply_to=question))]


def with_object_array(dtype: str) -> Attack:
    def attack(question: Message, honest: Message) -> list[Packet]:
        record = honest.content.array_records[ARRAYS]
        name, first = next(iter(record.items()))
        pickled = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
        record[name] = Array(dtype=dtype, shape=first.shape, stype="numpy.ndarray", data=pickled)
        return [pack(honest)]

    return attack


def as_hello(question: Message, honest: Message) -> list[Packet]:
    """Say that the answer is one to another question, whose table has no weights."""
    honest.metadata.message_type = QUERY_HELLO
    return [pack(honest)]


def with_json(kind: str, change: Callable[[dict[str, object]], None]) -> Attack:
    return lambda question, honest: [rewrite(honest, kind, change)]


def with_bomb(question: Message, honest: Message) -> list[Packet]:
    """Announce 500 MB and send 4."""
    return [bomb(honest, ARRAYS, 125)]


def with_real_bytes(question: Message, honest: Message) -> list[Packet]:
    """Send 80 MB."""
    noise = np.random.default_rng(0).random(10_000_000)
    honest.content[ARRAYS] = ArrayRecord({"noise": Array(noise)})
    return [pack(honest)]


def twice(question: Message, honest: Message) -> list[Packet]:
    return [pack(honest), pack(honest)]


def forged_and_never_sent(question: Message, honest: Message) -> list[Packet]:
    """Answer another question, answer as another, ask in the coordinator's name, announce too much.

    And then announce what is true and keep one part of it back.
    """
    packets = [pack(honest) for _ in range(5)]
    packets[0].announced.metadata.reply_to_message_id = "0" * 64
    packets[1].announced.metadata.src_node_id = OTHER
    packets[2].announced.metadata.reply_to_message_id = ""
    packets[2].announced.metadata.src_node_id = 1
    packets[2].announced.metadata.dst_node_id = OTHER
    packets[3].tree.children.extend(ObjectTree(object_id=f"{i:064x}") for i in range(10_000))
    packets[4].holds_back = 1
    return packets


def forged_receipt(question: Message, honest: Message) -> list[Packet]:
    """Sign somebody else's ledger, in the right form."""
    config = honest.content.config_records[CONFIG]
    text = str(config[RECEIPT])
    config[RECEIPT] = text[:-8] + ("0" * 8 if not text.endswith("0" * 8) else "1" * 8)
    return [pack(honest)]
