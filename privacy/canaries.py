"""Canaries of a real study: rows that anybody can make, and coins that only the site knows.

The rows are drawn from the public schema by a public seed, so site, coordinator and reader make the
same ones, and they are nobody's. The coins say which of them take part. The site flips them, gives
a digest of them and of a secret salt before anything is released, and opens both after everything
is. So neither can the site choose its coins when it knows the outcome, nor can anybody guess with
the help of the coins.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy.random_stream import RandomStream, keystream

__all__ = [
    "COMMITMENT",
    "FEWEST",
    "MOST",
    "ROWS_OF_A_PERSON",
    "Opening",
    "check_number",
    "count_guesses",
    "draw_canaries",
    "flip_coins",
]

FEWEST, MOST = 50, 2000
"""Fewer show nothing; more are in each other's way and are felt in the table."""
ROWS_OF_A_PERSON = 3
"""Equal rows of a canary where a unit is a person."""

COMMITMENT = "canary-commitment"
"""Detail of a reservation in a site's ledger: the digest of salt and coins."""

_DOMAIN = b"fedsynth canary coins 1"
_SALT_BYTES = 32
_GUESSED = 8
"""One canary in so many is guessed to be in, and one to be out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Opening:
    """What a site keeps to itself until its study is over.

    Attributes:
        salt: secret bytes, 32.
        coins: which canaries take part, ``(canaries,)``.

    Raises:
        ValueError: if the salt has another length.
    """

    salt: bytes = field(repr=False)
    coins: NDArray[np.bool_] = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) != _SALT_BYTES:
            raise ValueError(f"salt must have {_SALT_BYTES} bytes, got {len(self.salt)}.")

    @classmethod
    def from_texts(cls, salt: str, coins: str, number: int) -> Opening:
        """Read salt and coins from hexadecimal digits.

        Raises:
            ValueError: if they are not those of so many canaries.
        """
        packed = np.frombuffer(bytes.fromhex(coins), dtype=np.uint8)
        if len(packed) != (number + 7) // 8 or np.unpackbits(packed)[number:].any():
            raise ValueError(f"coins must be {number} bits, and zeros to the end of the last byte.")
        return cls(salt=bytes.fromhex(salt), coins=np.unpackbits(packed, count=number).astype(bool))

    @property
    def packed(self) -> bytes:
        """The coins, eight in a byte, the first in the highest bit."""
        return np.packbits(self.coins).tobytes()

    def commit(self) -> str:
        """Return the digest that binds salt, coins and their number, in hexadecimal digits."""
        number = len(self.coins).to_bytes(4, "big")
        return hashlib.sha256(_DOMAIN + self.salt + self.packed + number).hexdigest()

    def fits(self, commitment: str) -> bool:
        """Return whether this is what was committed to."""
        return hmac.compare_digest(self.commit(), commitment)

    def to_texts(self) -> dict[str, str]:
        """Return salt and coins as hexadecimal digits."""
        return {"salt": self.salt.hex(), "coins": self.packed.hex()}


def check_number(number: int) -> int:
    """Return the number of canaries if a site may plant so many.

    Raises:
        ValueError: unless it is 0, for none, or in [50, 2000].
    """
    if number != 0 and not FEWEST <= number <= MOST:
        raise ValueError(
            f"canaries must be 0 or between {FEWEST} and {MOST:,}, got {number}; 200 is usual"
        )
    return number


def count_guesses(number: int) -> int:
    """Return for how many of so many canaries a guess is made; fixed before anything is seen."""
    return 2 * (number // _GUESSED)


def flip_coins(number: int, stream: RandomStream) -> Opening:
    """Return a fresh salt and fair coins.

    Args:
        number: of canaries.
        stream: private randomness of the site.
    """
    salt = stream.bits(_SALT_BYTES // 8).astype("<u8").tobytes()
    return Opening(salt=salt, coins=(stream.bits(number) >> np.uint64(63)).astype(bool))


def draw_canaries(
    sizes: tuple[int, ...], number: int, *, study: str, schema: str, public_key: str
) -> NDArray[np.int16]:
    """Return rows of which every code is equally likely, the same for everybody.

    Args:
        sizes: codes of every column.
        number: of rows.
        study: digest of the study's settings.
        schema: digest of the schema.
        public_key: the site's, in hexadecimal digits.

    Returns:
        Shape ``(number, columns)``.
    """
    seed: list[Any] = ["canaries", study, schema, public_key]
    reader = keystream(hashlib.sha256(json.dumps(seed).encode()).digest())
    stream = RandomStream(lambda: reader)
    codes = stream.integers(np.broadcast_to(np.array(sizes), (number, len(sizes))))
    return codes.astype(np.int16)
