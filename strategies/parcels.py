"""Messages as the parts they travel in: bounded and checked before they are put together.

Both sides use this, for neither trusts what the other sends. A message is a tree of objects, each
named by the SHA-256 of its content. Putting one together can need far more memory than was sent,
for a part may be named many times: so what it would unfold to is computed first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from flwr.app import ArrayRecord, Message, RecordDict
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
"""Of one message. An answer is never larger than a question: weights come back as they went, and a
sketch of one site is as long as the pooled one that all sites are sent."""
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
    """Report a message that is larger than anybody takes."""


def list_objects(tree: ObjectTree, *, most: int = MOST_OBJECTS) -> list[str]:
    """Return every object's name once.

    Raises:
        TooLarge: if there are more than ``most``.
    """
    names: dict[str, None] = {}
    waiting, seen = [tree], 0
    while waiting:
        node = waiting.pop()
        seen += 1 + len(node.children)
        if seen > 2 * most or len(names) >= most:
            raise TooLarge(f"a message of more than {most:,} objects")
        names[node.object_id] = None
        waiting.extend(node.children)
    return list(names)


class Intake:
    """The parts of one message so far, never more than anybody takes.

    Attributes:
        contents: what has come, by name.
    """

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._size = 0

    def add(self, name: str, content: bytes) -> None:
        """Take one part.

        Raises:
            TooLarge: if it is one too many bytes.
            Unusable: if it is not what its name says.
        """
        self._size += len(content)
        if self._size > MOST_BYTES:
            raise TooLarge(f"a message of more than {MOST_BYTES:,} bytes")
        if hashlib.sha256(content).hexdigest() != name:
            raise Unusable("a part of it is not what its name says")
        self.contents[name] = content


def pull_parts(tree: ObjectTree, pull: Callable[[str], bytes]) -> dict[str, bytes]:
    """Fetch the parts of a message, and stop as soon as they are too much.

    Raises:
        TooLarge: if there are too many parts or bytes.
        Unusable: if a part is not what its name says.
    """
    intake = Intake()
    for name in list_objects(tree):
        intake.add(name, pull(name))
    return intake.contents


def put_together(envelope: Message, parts: Mapping[str, bytes]) -> Message:
    """Return a message with its content.

    Args:
        envelope: the message as announced, without content.
        parts: its objects; the first is the message itself.

    Raises:
        TooLarge: if it would unfold to more than anybody takes.
        Unusable: if it is no message with content.
    """
    inflated = inflate_message(envelope.metadata.message_id, parts)
    same = inflated.metadata.message_type == envelope.metadata.message_type
    if not (same and inflated.has_content()):
        raise Unusable("it is not the message that was announced")
    envelope.content = inflated.content
    return envelope


def inflate_message(root: str, parts: Mapping[str, bytes]) -> Message:
    """Return the message that parts make, with content or an error; it says itself who sent it.

    Args:
        root: name of the message among its parts.
        parts: its objects.

    Raises:
        TooLarge: if it would unfold to more than anybody takes.
        Unusable: if it is no message.
    """
    try:
        for content in parts.values():
            validate_object_content(content)
        if sum(_unfolded_size(parts, name) for name in parts) > MOST_BYTES:
            raise TooLarge(f"a message that unfolds to more than {MOST_BYTES:,} bytes")
        with no_object_id_recompute():
            inflated = inflate_object_from_contents(root, dict(parts))
        if not isinstance(inflated, Message):
            raise Unusable("it is no message")
        if inflated.has_content():
            _check_descriptions(inflated.content)
    except BROKEN as error:
        raise Unusable(f"it cannot be put together ({type(error).__name__})") from None
    return inflated


def _check_descriptions(content: RecordDict) -> None:
    """Raise ValueError unless names are text and arrays say of themselves what can be true.

    Flower takes these from JSON as they come, where a name may be no text that can be written, a
    shape may hold words, and one record may stand under a million names.
    """
    if not isinstance(content, RecordDict):
        raise ValueError("it holds no records")
    seen = 0
    for name, record in content.items():
        seen += 1 + len(record)
        if seen > MOST_OBJECTS:
            raise TooLarge(f"a message of more than {MOST_OBJECTS:,} names")
        for text in (name, *record):
            text.encode("utf-8")
        if isinstance(record, ArrayRecord):
            for array in record.values():
                is_shape = all(type(size) is int and size >= 0 for size in array.shape)
                if not (is_shape and isinstance(array.dtype, str)):
                    raise ValueError("an array without a shape or type")


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
