"""Messages as hostile programs send them: taken apart, altered piece by piece, names made anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.message_pb2 import ObjectTree

from strategies.parcels import take_apart

CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(kw_only=True)
class Packet:
    """A message in pieces; ``holds_back`` says how many of them are announced and never sent."""

    announced: ProtoMessage
    tree: ObjectTree
    parts: dict[str, bytes]
    holds_back: int = 0


def pack(message: Message) -> Packet:
    tree, parts = take_apart(message)
    announced = message_to_proto(remove_content_from_message(message))
    return Packet(announced=announced, tree=tree, parts=parts)


def rewrite(message: Message, kind: str, change: Callable[[dict[str, Any]], None]) -> Packet:
    """Take a message apart and change the JSON of its first part of a kind, and all names above."""
    packet = pack(message)
    renamed: dict[str, str] = {}
    parts: dict[str, bytes] = {}
    waiting = True
    for old, content in packet.parts.items():  # children come before their parents
        for before, after in renamed.items():
            content = content.replace(before.encode(), after.encode())
        head, body = content.split(b"\x00", 1)
        if waiting and head.startswith(f"{kind} ".encode()):
            waiting = False
            said = json.loads(body)
            change(said)
            body = json.dumps(said).encode()
            content = head.rsplit(b" ", 1)[0] + f" {len(body)}".encode() + b"\x00" + body
        new = hashlib.sha256(content).hexdigest()
        if new != old:
            renamed[old] = new
        parts[new] = content
    root = list(parts)[-1]
    packet.announced.metadata.message_id = root
    return Packet(announced=packet.announced, tree=_tree(parts, root), parts=parts)


def bomb(message: Message, record: str, times: int) -> Packet:
    """Let a message's array name one chunk of 4 MiB many times."""
    data = np.zeros(CHUNK_BYTES // 4, np.float32)
    message.content[record] = ArrayRecord({"bomb": Array(data)})
    return rewrite(message, "Array", lambda said: said.update(arraychunk_ids=[0] * times))


def _tree(parts: dict[str, bytes], name: str) -> ObjectTree:
    names = parts[name].split(b"\x00", 1)[0].split(b" ")[1].decode()
    children = [_tree(parts, child) for child in names.split(",") if child]
    return ObjectTree(object_id=name, children=children)
