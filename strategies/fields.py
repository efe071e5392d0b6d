"""The table of every field on the wire, with the reason why it may travel.

``strategies.gate`` holds messages against it at a site, ``strategies.validation`` at the
coordinator. To send something new, add a row here with the reason why it is safe; a test enumerates
real messages against the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
from strategies.wire_field import Basis, Direction, WireField, WireType

_HEX = r"[0-9a-f]{64}"
_RECEIPT = rf"{_HEX}:[1-9][0-9]{{0,8}}:{_HEX}:[0-9a-f]{{128}}"
_LARGEST_COUNT = 1e12
_LARGEST_WEIGHT = 1e6
_LARGEST_NOISE = 1e6

_STUDY: Final = {
    protocol.STUDY_ID: WireType.STRING,
    protocol.CONFIG_HASH: WireType.STRING,
    protocol.MODEL: WireType.STRING,
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


def _settings(message: str, types: Mapping[str, WireType]) -> tuple[WireField, ...]:
    """Return the rows of what a coordinator asks, the site's last receipt among them."""
    fields = [
        WireField(
            message=message,
            direction=Direction.DOWN,
            record=CONFIG,
            key=key,
            type=wire_type,
            basis=Basis.PUBLIC,
            reason="public setting of the study, chosen by the coordinator",
        )
        for key, wire_type in types.items()
    ]
    held = WireField(
        message=message,
        direction=Direction.DOWN,
        record=CONFIG,
        key=protocol.HELD_RECEIPT,
        type=WireType.STRING,
        basis=Basis.PUBLIC,
        reason="the receipt this site gave last; its own ledger must still be as old",
        pattern=_RECEIPT,
        optional=True,
    )
    return (*fields, held)


def _up(message: str, key: str, wire_type: WireType, reason: str, **bounds: Any) -> WireField:
    return WireField(
        message=message,
        direction=Direction.UP,
        record=CONFIG,
        key=key,
        type=wire_type,
        basis=Basis.PUBLIC,
        reason=reason,
        **bounds,
    )


def _receipt(message: str) -> WireField:
    return _up(
        message,
        protocol.RECEIPT,
        WireType.STRING,
        "signed head of the ledger, which holds settings, times and random ids, and no record",
        pattern=_RECEIPT,
    )


def _noise(message: str, key: str) -> WireField:
    reason = "computed from the public settings and the site's policy, not from records"
    return _up(message, key, WireType.FLOAT, reason, low=0.0, high=_LARGEST_NOISE)


def _counts(
    message: str,
    direction: Direction,
    record: str,
    key: str,
    basis: Basis,
    reason: str,
    *,
    optional: bool = False,
) -> WireField:
    return WireField(
        message=message,
        direction=direction,
        record=record,
        key=key,
        type=WireType.VECTOR,
        basis=basis,
        reason=reason,
        low=-_LARGEST_COUNT,
        high=_LARGEST_COUNT,
        optional=optional,
    )


def _weights(message: str, direction: Direction, reason: str) -> WireField:
    return WireField(
        message=message,
        direction=direction,
        record=ARRAYS,
        key=ANY_NAME,
        type=WireType.WEIGHTS,
        basis=Basis.POST_PROCESSING,
        reason=reason,
        low=-_LARGEST_WEIGHT,
        high=_LARGEST_WEIGHT,
    )


_HELLO: Final = (
    *_settings(
        QUERY_HELLO,
        _STUDY
        | {
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
        pattern=_HEX,
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
        protocol.PUBLIC_KEY,
        WireType.STRING,
        "the site's public key, from the operating system's entropy",
        pattern=_HEX,
    ),
    _receipt(QUERY_HELLO),
    _up(
        QUERY_HELLO,
        protocol.ACCEPTED,
        WireType.BOOLEAN,
        "decided by schema, version, policy and ledger before any record is read",
    ),
    _up(
        QUERY_HELLO,
        protocol.REFUSAL_CODE,
        WireType.STRING,
        "one of a fixed list; decided before any record is read",
        pattern="|".join(code.value for code in RefusalCode),
    ),
    _up(
        QUERY_HELLO,
        protocol.UNIT,
        WireType.STRING,
        "whom the site's policy protects",
        pattern="record|person",
    ),
    _up(
        QUERY_HELLO,
        protocol.POLICY_EPSILON,
        WireType.FLOAT,
        "what the site's policy allows one study; written by people, before any record is read",
        low=0.0,
        high=1e9,
    ),
    _up(
        QUERY_HELLO,
        protocol.POLICY_NOISE,
        WireType.FLOAT,
        "what the site's policy asks of a mechanism; written by people",
        low=0.0,
        high=1e9,
    ),
    _up(
        QUERY_HELLO,
        protocol.POLICY_ROUNDS,
        WireType.INTEGER,
        "what the site's policy allows one study; written by people",
        low=0,
        high=1e9,
    ),
    _up(
        QUERY_HELLO,
        protocol.UNIT_COUNT,
        WireType.INTEGER,
        "sent only where the site's policy says that the number of units is public knowledge",
        low=0,
        high=1e9,
        optional=True,
    ),
)
_SKETCH: Final = (
    *_settings(QUERY_SKETCH, _STUDY),
    _counts(
        QUERY_SKETCH,
        Direction.UP,
        SKETCH,
        STATISTICS,
        Basis.MECHANISM,
        "Gaussian mechanism 'sketch', reserved in the site's ledger before the records were read",
    ),
    _noise(QUERY_SKETCH, protocol.NOISE_MULTIPLIER),
    _noise(QUERY_SKETCH, protocol.PLAN_EPSILON),
    _receipt(QUERY_SKETCH),
)
_TRAIN: Final = (
    *_settings(
        TRAIN,
        _STUDY
        | {protocol.SERVER_ROUND: WireType.INTEGER, protocol.POOLED_NOISE_STD: WireType.FLOAT},
    ),
    _weights(TRAIN, Direction.DOWN, "the global generator, made from private replies alone"),
    _counts(
        TRAIN,
        Direction.DOWN,
        POOLED_SKETCH,
        STATISTICS,
        Basis.POST_PROCESSING,
        "sum of private sketches; sent until a site has answered",
        optional=True,
    ),
    _weights(
        TRAIN,
        Direction.UP,
        "generator trained against a discriminator that saw records under DP-SGD only (mechanism "
        "'training'), and against private sketches",
    ),
    _receipt(TRAIN),
)
_EVALUATE: Final = (
    *_settings(QUERY_EVALUATE, _STUDY),
    _weights(QUERY_EVALUATE, Direction.DOWN, "a network trained on synthetic rows alone"),
    *(
        _counts(
            QUERY_EVALUATE,
            Direction.UP,
            EVALUATION,
            purpose,
            Basis.MECHANISM,
            f"Gaussian mechanism {purpose!r} on hold-out units only, reserved in the site's ledger "
            "before the records were read",
        )
        for purpose in NOISE_OF
    ),
    *(_noise(QUERY_EVALUATE, key) for key in NOISE_OF.values()),
    _receipt(QUERY_EVALUATE),
)

FIELDS: Final[tuple[WireField, ...]] = (*_HELLO, *_SKETCH, *_TRAIN, *_EVALUATE)


def fields_of(message: str, direction: Direction) -> tuple[WireField, ...]:
    """Return the rows of ``FIELDS`` for one message type and direction."""
    return tuple(f for f in FIELDS if f.message == message and f.direction == direction)
