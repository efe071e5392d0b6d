"""The table of every field on the wire, with the reason why it may travel.

``strategies.gate`` holds messages against it at a site, ``strategies.validation`` at the
coordinator. To send something new, add a row here with the reason why it is safe; a test enumerates
real messages against the table.
"""

from __future__ import annotations

from typing import Final

from privacy.canaries import FEWEST, MOST
from strategies import protocol
from strategies.field_rows import (
    HEX,
    LARGEST_POOLED,
    POSITIONS,
    STUDY,
    counts,
    noise,
    receipt,
    settings,
    up,
    weights,
)
from strategies.protocol import (
    CONFIG,
    DISCRIMINATOR,
    EVALUATION,
    NOISE_OF,
    POOLED_SKETCH,
    QUERY_CLOSE,
    QUERY_EVALUATE,
    QUERY_HELLO,
    QUERY_OPEN,
    QUERY_SKETCH,
    SKETCH,
    STATISTICS,
    TRAIN,
    RefusalCode,
)
from strategies.wire_field import Basis, Direction, WireField, WireType

_HELLO: Final = (
    *settings(
        QUERY_HELLO,
        STUDY
        | {
            protocol.SCHEMA_DIGEST: WireType.STRING,
            protocol.SOFTWARE_VERSION: WireType.STRING,
            protocol.PROTOCOL: WireType.INTEGER,
        },
    ),
    up(
        QUERY_HELLO,
        protocol.SCHEMA_DIGEST,
        WireType.STRING,
        "digest of the site's copy of the public schema; no record enters it",
        pattern=HEX,
    ),
    up(
        QUERY_HELLO,
        protocol.SOFTWARE_VERSION,
        WireType.STRING,
        "version of the installed software",
        pattern=r"[0-9A-Za-z.+-]{1,32}",
    ),
    up(
        QUERY_HELLO,
        protocol.PUBLIC_KEY,
        WireType.STRING,
        "the site's public key, from the operating system's entropy",
        pattern=HEX,
    ),
    receipt(QUERY_HELLO),
    up(
        QUERY_HELLO,
        protocol.ACCEPTED,
        WireType.BOOLEAN,
        "decided by schema, version, policy and ledger before any record is read",
    ),
    up(
        QUERY_HELLO,
        protocol.REFUSAL_CODE,
        WireType.STRING,
        "one of a fixed list; decided before any record is read",
        pattern="|".join(code.value for code in RefusalCode),
    ),
    up(
        QUERY_HELLO,
        protocol.UNIT,
        WireType.STRING,
        "whom the site's policy protects",
        pattern="record|person",
    ),
    up(
        QUERY_HELLO,
        protocol.POLICY_EPSILON,
        WireType.FLOAT,
        "what the site's policy allows one study; written by people, before any record is read",
        low=0.0,
        high=1e9,
    ),
    up(
        QUERY_HELLO,
        protocol.POLICY_NOISE,
        WireType.FLOAT,
        "what the site's policy asks of a mechanism; written by people",
        low=0.0,
        high=1e9,
    ),
    up(
        QUERY_HELLO,
        protocol.POLICY_ROUNDS,
        WireType.INTEGER,
        "what the site's policy allows one study; written by people",
        low=0,
        high=1e9,
    ),
    up(
        QUERY_HELLO,
        protocol.UNIT_COUNT,
        WireType.INTEGER,
        "sent only where the site's policy says that the number of units is public knowledge",
        low=0,
        high=1e9,
        optional=True,
    ),
    up(
        QUERY_HELLO,
        protocol.MISSING_COLUMNS,
        WireType.STRING,
        "positions of schema columns that the site's people declare in site.toml that it does not "
        "have; public, and no record enters it",
        pattern=POSITIONS,
        optional=True,
    ),
)
_SKETCH: Final = (
    *settings(QUERY_SKETCH, STUDY),
    counts(
        QUERY_SKETCH,
        Direction.UP,
        SKETCH,
        STATISTICS,
        Basis.MECHANISM,
        "Gaussian mechanism 'sketch', reserved in the site's ledger before the records were read; "
        "zeros in blocks of columns that the site declares that it lacks",
    ),
    noise(QUERY_SKETCH, protocol.NOISE_MULTIPLIER),
    noise(QUERY_SKETCH, protocol.PLAN_EPSILON),
    up(
        QUERY_SKETCH,
        protocol.CANARIES,
        WireType.INTEGER,
        "how many made-up units the site planted, as its people chose; no record enters it",
        low=FEWEST,
        high=MOST,
        optional=True,
    ),
    up(
        QUERY_SKETCH,
        protocol.CANARY_COMMITMENT,
        WireType.STRING,
        "digest of a random salt and of coins that were flipped before any record was read",
        pattern=HEX,
        optional=True,
    ),
    receipt(QUERY_SKETCH),
)
_TRAIN: Final = (
    *settings(
        TRAIN,
        STUDY
        | {
            protocol.SERVER_ROUND: WireType.INTEGER,
            protocol.POOLED_NOISE_STD: WireType.FLOAT,
        },
    ),
    weights(TRAIN, Direction.DOWN, "the global generator, made from private replies alone"),
    counts(
        TRAIN,
        Direction.DOWN,
        POOLED_SKETCH,
        STATISTICS,
        Basis.POST_PROCESSING,
        "sum of private sketches, and where sites lack columns, how exact each block is and of how "
        "many rows; sent until a site has answered",
        optional=True,
        largest=LARGEST_POOLED,
    ),
    weights(
        TRAIN,
        Direction.UP,
        "generator trained against a discriminator that saw records under DP-SGD only (mechanism "
        "'training'), and against private sketches; of images, with that discriminator in it; or "
        "an autoencoder as DP-SGD left it (the same mechanism, reserved before the records were "
        "read); in 8 bits, how far it is from what came; unless the discriminator was asked for",
        optional=True,
    ),
    weights(
        TRAIN,
        Direction.UP,
        "discriminator as DP-SGD left it, which the accountant takes as released after every step: "
        "mechanism 'training', reserved in the site's ledger before the records were read; only "
        "where it was asked for",
        record=DISCRIMINATOR,
        basis=Basis.MECHANISM,
        optional=True,
    ),
    receipt(TRAIN),
)
_EVALUATE: Final = (
    *settings(QUERY_EVALUATE, STUDY),
    weights(QUERY_EVALUATE, Direction.DOWN, "a network trained on synthetic rows alone"),
    *(
        counts(
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
    *(noise(QUERY_EVALUATE, key) for key in NOISE_OF.values()),
    receipt(QUERY_EVALUATE),
)
_OPEN: Final = (
    *settings(QUERY_OPEN, STUDY),
    up(
        QUERY_OPEN,
        protocol.CANARY_SALT,
        WireType.STRING,
        "random salt, flipped with the coins",
        pattern=HEX,
    ),
    up(
        QUERY_OPEN,
        protocol.CANARY_COINS,
        WireType.STRING,
        "coins of made-up units, flipped before any record was read and independent of all records",
        pattern=rf"[0-9a-f]{{14,{MOST // 4}}}",
    ),
    receipt(QUERY_OPEN),
)
_CLOSE: Final = (
    *settings(QUERY_CLOSE, STUDY),
    WireField(
        message=QUERY_CLOSE,
        direction=Direction.DOWN,
        record=CONFIG,
        key=protocol.ENDING,
        type=WireType.STRING,
        basis=Basis.PUBLIC,
        reason="how the study ended, for the site's ledger",
        pattern=f"{protocol.FINISHED}|{protocol.GIVEN_UP}",
    ),
    receipt(QUERY_CLOSE),
)

FIELDS: Final[tuple[WireField, ...]] = (
    *_HELLO,
    *_SKETCH,
    *_TRAIN,
    *_EVALUATE,
    *_OPEN,
    *_CLOSE,
)


def fields_of(message: str, direction: Direction) -> tuple[WireField, ...]:
    """Return the rows of ``FIELDS`` for one message type and direction."""
    return tuple(f for f in FIELDS if f.message == message and f.direction == direction)
