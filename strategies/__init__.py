"""How the sites' results become one global generator, and every name that goes over the wire.

Here belong the message types and the table of all fields with the reason each is safe, the checks
on what leaves a site and on what arrives, the arithmetic that combines replies, and the Flower
strategy that runs the rounds. What a site does with a message is in ``client``; what the
coordinator does with the result is in ``server``.

What handles messages is imported at the first use of its name, so that a plan does not wait for
Flower.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import strategies.environment  # noqa: F401  first: it sets Flower's switches before Flower is imported
from strategies.aggregation import PooledSketch, SketchSum, weighted_average
from strategies.errors import StudyFailed
from strategies.fields import FIELDS
from strategies.protocol import RefusalCode, error_reply
from strategies.wire_field import Direction, WireField, WireFormat, WireType

if TYPE_CHECKING:
    from strategies.arrays import ArraySpec
    from strategies.collect import Answers, ask, make_messages, wait_for_nodes
    from strategies.federated_generator import FederatedGenerator
    from strategies.gate import check_incoming, check_outgoing
    from strategies.round_record import RoundRecord
    from strategies.validation import Rejection, Reply, check_reply

__all__ = [
    "FIELDS",
    "Answers",
    "ArraySpec",
    "Direction",
    "FederatedGenerator",
    "PooledSketch",
    "RefusalCode",
    "Rejection",
    "Reply",
    "RoundRecord",
    "SketchSum",
    "StudyFailed",
    "WireField",
    "WireFormat",
    "WireType",
    "ask",
    "check_incoming",
    "check_outgoing",
    "check_reply",
    "error_reply",
    "make_messages",
    "wait_for_nodes",
    "weighted_average",
]

_HOMES = {
    "Answers": "strategies.collect",
    "ArraySpec": "strategies.arrays",
    "FederatedGenerator": "strategies.federated_generator",
    "Rejection": "strategies.validation",
    "Reply": "strategies.validation",
    "RoundRecord": "strategies.round_record",
    "ask": "strategies.collect",
    "check_incoming": "strategies.gate",
    "check_outgoing": "strategies.gate",
    "check_reply": "strategies.validation",
    "make_messages": "strategies.collect",
    "wait_for_nodes": "strategies.collect",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name that needs Flower when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'strategies' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
