"""What a row of the table of the wire says about one field of one message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_ELEMENTS = 100_000_000
BLOCK = 16
"""Weights that share a scale where they travel in 8 bits."""


class Direction(StrEnum):
    """Which way a message travels."""

    DOWN = "down"
    UP = "up"


class WireType(StrEnum):
    """What a field may hold."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    VECTOR = "vector"
    WEIGHTS = "weights"


class WireFormat(StrEnum):
    """What one weight of a network is on the wire."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"

    @property
    def bytes_per_weight(self) -> float:
        """Bytes of one weight, its part of a block's scale in 16 bits included."""
        return {"float32": 4.0, "float16": 2.0, "int8": 1 + 2 / BLOCK}[self.value]

    @property
    def tells_changes(self) -> bool:
        """Whether a site that was sent a generator answers with what it changed, not with its own.

        A discriminator is whole in every format: there is none that both sides hold.
        """
        return self is WireFormat.INT8


class Basis(StrEnum):
    """Why a field gives nothing away beyond the promise."""

    PUBLIC = "public"  # known without any record, or declared public by the site's policy
    MECHANISM = "mechanism"  # the release of an event that stands in the ledger
    POST_PROCESSING = "post-processing"  # made from such releases and public facts alone


@dataclass(frozen=True, kw_only=True)
class WireField:
    """One key of one record of one message, and why it may travel.

    Attributes:
        message: message type.
        direction: from the coordinator (down) or from a site (up).
        record: name of the record in the message.
        key: name inside the record; ``"*"`` stands for the layer names of a network.
        type: what the value may be.
        basis: why it may travel, in a word.
        reason: the same in a sentence.
        pattern: regular expression a string must match in full.
        low: least value of a number, or of a value in an array.
        high: largest value of a number, or of a value in an array.
        optional: whether the message is whole without it.
    """

    message: str
    direction: Direction
    record: str
    key: str
    type: WireType
    basis: Basis
    reason: str
    pattern: str = r"[\w.+:-]{1,128}"
    low: float = float("-inf")
    high: float = float("inf")
    optional: bool = False

    @property
    def bound(self) -> str:
        """What the type leaves open, in words."""
        if self.type is WireType.BOOLEAN:
            return "true or false"
        if self.type is WireType.STRING:
            return f"matches {self.pattern}"
        numbers = f"{self.low:g} to {self.high:g}"
        if self.type is WireType.VECTOR:
            return f"flat, float32, each value {numbers}"
        if self.type is WireType.WEIGHTS:
            return f"names, shapes and types as received, each value {numbers}"
        return numbers
