"""How the sites' results become one global generator, and every name that goes over the wire.

Here belong the message types and the table of all fields with the reason each is safe, the checks
on what leaves a site and on what arrives, the arithmetic that combines replies, and the Flower
strategy that runs the rounds. What a site does with a message is in ``client``; what the
coordinator does with the result is in ``server``.
"""

from __future__ import annotations

import strategies.environment  # noqa: F401  first: it sets Flower's switches before Flower is imported
from strategies.aggregation import PooledSketch, SketchSum, weighted_average
from strategies.arrays import ArraySpec
from strategies.collect import Answers, ask, make_messages, wait_for_nodes
from strategies.errors import StudyFailed
from strategies.federated_generator import FederatedGenerator, RoundRecord
from strategies.fields import FIELDS
from strategies.gate import check_incoming, check_outgoing
from strategies.protocol import RefusalCode, error_reply
from strategies.validation import Rejection, Reply, check_reply
from strategies.wire_field import Direction, WireField, WireType
from strategies.wire_format import WireFormat

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
