"""The table of every field on the wire, with the reason why it may travel.

``strategies.gate`` holds messages against it at a site, ``strategies.validation`` at the
coordinator. To send something new, add a row here with the reason why it is safe; a test enumerates
real messages against the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from strategies import protocol
from strategies.protocol import (
    ANY_NAME,
    ARRAYS,
    CONFIG,
    EVALUATION,
    NOISE_OF,
    POOLED_SKETCH,
    QUERY_EVALUATE,
    QUERY_HELLO,
    QUERY_SKETCH,
    SKETCH,
    STATISTICS,
    TRAIN,
    RefusalCode,
)


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


@dataclass(frozen=True, kw_only=True)
class WireField:
    """One key of one record of one message, and why it may travel.

    Attributes:
        message: message type.
        direction: from the coordinator (down) or from a site (up).
        record: name of the record in the message.
        key: name inside the record; ``"*"`` stands for the layer names of a network.
        type: what the value may be. Strings also match ``pattern`` as a whole.
        reason: why the value gives nothing away beyond the promise.
        pattern: regular expression a string must match in full.
    """

    message: str
    direction: Direction
    record: str
    key: str
    type: WireType
    reason: str
    pattern: str = r"[\w.+:-]{1,128}"


_PUBLIC: Final = "public setting of the study, chosen by the coordinator"
_REFUSALS: Final = "|".join(code.value for code in RefusalCode)


def _down(message: str, types: dict[str, WireType]) -> tuple[WireField, ...]:
    return tuple(
        WireField(
            message=message,
            direction=Direction.DOWN,
            record=CONFIG,
            key=key,
            type=wire_type,
            reason=_PUBLIC,
        )
        for key, wire_type in types.items()
    )


def _array(
    message: str, direction: Direction, record: str, reason: str, key: str = STATISTICS
) -> WireField:
    is_weights = record == ARRAYS
    return WireField(
        message=message,
        direction=direction,
        record=record,
        key=ANY_NAME if is_weights else key,
        type=WireType.WEIGHTS if is_weights else WireType.VECTOR,
        reason=reason,
    )


def _up(message: str, key: str, wire_type: WireType, reason: str, **more: str) -> WireField:
    return WireField(
        message=message,
        direction=Direction.UP,
        record=CONFIG,
        key=key,
        type=wire_type,
        reason=reason,
        **more,
    )


_STUDY: Final = {
    protocol.STUDY_ID: WireType.STRING,
    protocol.CONFIG_HASH: WireType.STRING,
    protocol.EPSILON: WireType.FLOAT,
    protocol.DELTA: WireType.FLOAT,
    protocol.SAMPLE_RATE: WireType.FLOAT,
    protocol.EXPECTED_BATCH_SIZE: WireType.INTEGER,
    protocol.ROUNDS: WireType.INTEGER,
    protocol.DISCRIMINATOR_STEPS: WireType.INTEGER,
    protocol.GENERATOR_STEPS: WireType.INTEGER,
    protocol.ADVERSARIAL_SHARE: WireType.FLOAT,
    protocol.MAX_GRAD_NORM: WireType.FLOAT,
    protocol.EVALUATION: WireType.BOOLEAN,
}

FIELDS: Final[tuple[WireField, ...]] = (
    *_down(
        QUERY_HELLO,
        {
            protocol.STUDY_ID: WireType.STRING,
            protocol.SCHEMA_DIGEST: WireType.STRING,
            protocol.SOFTWARE_VERSION: WireType.STRING,
            protocol.PROTOCOL: WireType.INTEGER,
        },
    ),
    _up(
        QUERY_HELLO,
        protocol.SCHEMA_DIGEST,
        WireType.STRING,
        "digest of the site's copy of the public schema; no record enters it",
        pattern=r"[0-9a-f]{64}",
    ),
    _up(
        QUERY_HELLO,
        protocol.SOFTWARE_VERSION,
        WireType.STRING,
        "version of the installed software",
        pattern=r"[0-9A-Za-z.+-]{1,32}",
    ),
    _up(
        QUERY_HELLO,
        protocol.ACCEPTED,
        WireType.BOOLEAN,
        "decided by schema, version and site policy before any record is read",
    ),
    _up(
        QUERY_HELLO,
        protocol.REFUSAL_CODE,
        WireType.STRING,
        "one of a fixed list; decided before any record is read",
        pattern=_REFUSALS,
    ),
    *_down(QUERY_SKETCH, _STUDY),
    _array(
        QUERY_SKETCH,
        Direction.UP,
        SKETCH,
        "Gaussian mechanism, reserved in the site's ledger before the records were read",
    ),
    _up(
        QUERY_SKETCH,
        protocol.NOISE_MULTIPLIER,
        WireType.FLOAT,
        "computed from the public settings and the site's policy, not from records",
    ),
    _up(
        QUERY_SKETCH,
        protocol.PLAN_EPSILON,
        WireType.FLOAT,
        "computed from the public settings and the site's policy, not from records",
    ),
    *_down(
        TRAIN,
        _STUDY
        | {protocol.SERVER_ROUND: WireType.INTEGER, protocol.POOLED_NOISE_STD: WireType.FLOAT},
    ),
    _array(
        TRAIN, Direction.DOWN, ARRAYS, "the global generator, post-processing of private replies"
    ),
    _array(TRAIN, Direction.DOWN, POOLED_SKETCH, "sum of private sketches"),
    _array(
        TRAIN,
        Direction.UP,
        ARRAYS,
        "generator trained against a discriminator that saw records under DP-SGD only, and against "
        "private sketches: post-processing",
    ),
    *_down(QUERY_EVALUATE, _STUDY),
    _array(
        QUERY_EVALUATE,
        Direction.DOWN,
        ARRAYS,
        "a network trained on synthetic rows alone, post-processing of private replies",
    ),
    *(
        _array(
            QUERY_EVALUATE,
            Direction.UP,
            EVALUATION,
            "Gaussian mechanism on hold-out units only, reserved in the site's ledger before the "
            "records were read",
            key=purpose,
        )
        for purpose in NOISE_OF
    ),
    *(
        _up(
            QUERY_EVALUATE,
            key,
            WireType.FLOAT,
            "computed from the public settings and the site's policy, not from records",
        )
        for key in NOISE_OF.values()
    ),
)
OPTIONAL: Final = frozenset({(TRAIN, POOLED_SKETCH, STATISTICS)})  # until a site has answered


def fields_of(message: str, direction: Direction) -> tuple[WireField, ...]:
    """Return the rows of ``FIELDS`` for one message type and direction."""
    return tuple(f for f in FIELDS if f.message == message and f.direction == direction)
