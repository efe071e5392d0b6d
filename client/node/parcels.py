"""Messages as the parts they travel in: bounded and checked before they are put together.

A message is a tree of objects, each named by the SHA-256 of its content. Putting one together can
need far more memory than was sent, for a part may be named many times: so what it would unfold to
is computed first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from flwr.app import Message, RecordDict
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.inflatable.inflatable_object import (
    UnexpectedObjectContentError,
    get_all_nested_objects,
    get_object_children_ids_from_object_content,
    get_object_tree,
    get_object_type_from_object_content,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import (
    inflate_object_from_contents,
    validate_object_content,
)
from google.protobuf.message import DecodeError

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_OBJECTS: Final = 10_000
BROKEN: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    MemoryError,
    EOFError,
    DecodeError,
    UnexpectedObjectContentError,
)
"""Everything that taking apart what a stranger sent may raise."""


class Unusable(Exception):
    """Report a message that cannot be put together; its text quotes nothing of it."""


class TooLarge(Unusable):
    """Report a message that is larger than a site takes."""


def list_objects(tree: ObjectTree) -> list[str]:
    """Return every object's name once.

    Raises:
        TooLarge: if there are more than a site takes.
    """
    names: dict[str, None] = {}
    waiting, seen = [tree], 0
    while waiting:
        node = waiting.pop()
        seen += 1 + len(node.children)
        if seen > 2 * MOST_OBJECTS or len(names) >= MOST_OBJECTS:
            raise TooLarge(f"a message of more than {MOST_OBJECTS:,} objects")
        names[node.object_id] = None
        waiting.extend(node.children)
    return list(names)


def pull_parts(tree: ObjectTree, pull: Callable[[str], bytes]) -> dict[str, bytes]:
    """Fetch the parts of a message, and stop as soon as they are too much.

    Raises:
        TooLarge: if there are too many parts or bytes.
        Unusable: if a part is not what its name says.
    """
    parts: dict[str, bytes] = {}
    size = 0
    for name in list_objects(tree):
        content = pull(name)
        size += len(content)
        if size > MOST_BYTES:
            raise TooLarge(f"a message of more than {MOST_BYTES:,} bytes")
        if hashlib.sha256(content).hexdigest() != name:
            raise Unusable("a part of it is not what its name says")
        parts[name] = content
    return parts


def put_together(envelope: Message, parts: Mapping[str, bytes]) -> Message:
    """Return a message with its content.

    Args:
        envelope: the message as announced, without content.
        parts: its objects; the first is the message itself.

    Raises:
        TooLarge: if it would unfold to more than a site takes.
        Unusable: if it is no message with content.
    """
    root = envelope.metadata.message_id
    try:
        for content in parts.values():
            validate_object_content(content)
        if sum(_unfolded_size(parts, name) for name in parts) > MOST_BYTES:
            raise TooLarge(f"a message that unfolds to more than {MOST_BYTES:,} bytes")
        inflated = inflate_object_from_contents(root, dict(parts))
        if not isinstance(inflated, Message):
            raise Unusable("it is no message")
        same = inflated.metadata.message_type == envelope.metadata.message_type
        if not (same and inflated.has_content() and isinstance(inflated.content, RecordDict)):
            raise Unusable("it is not the message that was announced")
    except BROKEN as error:
        raise Unusable(f"it cannot be put together ({type(error).__name__})") from None
    envelope.content = inflated.content
    return envelope


def _unfolded_size(parts: Mapping[str, bytes], name: str) -> int:
    """Return the bytes that one part becomes, which for an array counts repeated chunks."""
    content = parts[name]
    if get_object_type_from_object_content(content) != "Array":
        return len(content)
    children = get_object_children_ids_from_object_content(content)
    body = json.loads(content[content.index(b"\x00") + 1 :])
    sizes = [len(parts[child]) for child in children]
    unfolded: int = sum(sizes[index] for index in body["arraychunk_ids"])
    return len(content) + unfolded


def take_apart(reply: Message) -> tuple[ObjectTree, dict[str, bytes]]:
    """Give a reply its name and return its tree and its parts."""
    with no_object_id_recompute():
        reply.metadata.__dict__["_message_id"] = reply.object_id
        parts = {name: part.deflate() for name, part in get_all_nested_objects(reply).items()}
        return get_object_tree(reply), parts
