"""How rows of the table of the wire are written: one function per kind of field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from strategies import protocol
from strategies.protocol import ANY_NAME, ARRAYS, CONFIG
from strategies.wire_field import Basis, Direction, WireField, WireType

HEX = r"[0-9a-f]{64}"
POSITIONS = r"(0|[1-9][0-9]{0,4})(,[1-9][0-9]{0,4}){0,9999}"
_RECEIPT = rf"{HEX}:[1-9][0-9]{{0,8}}:{HEX}:[0-9a-f]{{128}}"
_LARGEST_COUNT = 1e12
LARGEST_POOLED = 1e15  # the sum over a thousand sites of the largest that each may send
_LARGEST_WEIGHT = 1e6
_LARGEST_NOISE = 1e6

STUDY: Final = {
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
    protocol.PROXIMAL: WireType.FLOAT,
    protocol.RETURNS_DISCRIMINATOR: WireType.BOOLEAN,
    protocol.TELLS_SITES_APART: WireType.BOOLEAN,
    protocol.EVALUATION: WireType.BOOLEAN,
    protocol.ALLOW_LESS_EPSILON: WireType.BOOLEAN,
}


def settings(message: str, types: Mapping[str, WireType]) -> tuple[WireField, ...]:
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


def up(message: str, key: str, wire_type: WireType, reason: str, **bounds: Any) -> WireField:
    """Return the row of a setting that leaves a site."""
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


def receipt(message: str) -> WireField:
    """Return the row of the receipt that comes with every answer."""
    return up(
        message,
        protocol.RECEIPT,
        WireType.STRING,
        "signed head of the ledger, which holds settings, times and random ids, and no record",
        pattern=_RECEIPT,
    )


def noise(message: str, key: str) -> WireField:
    """Return the row of a noise multiplier."""
    reason = "computed from the public settings and the site's policy, not from records"
    return up(message, key, WireType.FLOAT, reason, low=0.0, high=_LARGEST_NOISE)


def counts(
    message: str,
    direction: Direction,
    record: str,
    key: str,
    basis: Basis,
    reason: str,
    *,
    optional: bool = False,
    largest: float = _LARGEST_COUNT,
) -> WireField:
    """Return the row of a vector of noisy counts."""
    return WireField(
        message=message,
        direction=direction,
        record=record,
        key=key,
        type=WireType.VECTOR,
        basis=basis,
        reason=reason,
        low=-largest,
        high=largest,
        optional=optional,
    )


def weights(
    message: str,
    direction: Direction,
    reason: str,
    *,
    record: str = ARRAYS,
    basis: Basis = Basis.POST_PROCESSING,
    optional: bool = False,
) -> WireField:
    """Return the row of the weights of a network."""
    return WireField(
        message=message,
        direction=direction,
        record=record,
        key=ANY_NAME,
        type=WireType.WEIGHTS,
        basis=basis,
        reason=reason,
        optional=optional,
        low=-_LARGEST_WEIGHT,
        high=_LARGEST_WEIGHT,
    )
