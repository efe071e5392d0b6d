"""What comes over the line, and what becomes of what goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flwr.app import Message
from flwr.proto.fleet_pb2 import PullMessagesResponse

from strategies.parcels import Unusable


class Sent(Enum):
    """What became of an answer."""

    DELIVERED = "delivered"
    RUN_OVER = "run-over"
    TOO_LATE = "too-late"


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """A question as it came: announced, with or without its parts.

    Attributes:
        envelope: the message without content.
        raw: the announcement, for keeping.
        parts: the content; empty if it could not be had.
        problem: why there is no content.
    """

    envelope: Message
    raw: PullMessagesResponse
    parts: dict[str, bytes]
    problem: Unusable | None = None
