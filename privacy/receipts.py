"""Receipts: what a site's ledger was at one moment, signed, for others to keep.

A chain of signatures shows that nobody else wrote in a ledger and that nothing inside it changed.
It cannot show that the end is missing, or that an old copy was put back. A receipt that somebody
else holds can: the ledger must still have, at that place, that digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from privacy.errors import LedgerBroken
from privacy.keys import PublicKey, SigningKey

__all__ = ["Receipt"]

_TEXT = re.compile(r"([0-9a-f]{64}):([1-9][0-9]{0,8}):([0-9a-f]{64}):([0-9a-f]{128})")


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The head of a ledger, signed by the site.

    Args:
        ledger: digest of the ledger's first entry, which names the ledger for life.
        entries: number of entries, >= 1.
        head: digest of the last of them.
        signature: the site's signature over the three, hexadecimal.

    Raises:
        ValueError: if a part is not what it should be.
    """

    ledger: str
    entries: int
    head: str
    signature: str

    def __post_init__(self) -> None:
        _split(self.to_text())

    @classmethod
    def sign(cls, key: SigningKey, *, ledger: str, entries: int, head: str) -> Receipt:
        """Return a receipt signed with the site's key."""
        signature = key.sign(_statement(ledger, entries, head)).hex()
        return cls(ledger=ledger, entries=entries, head=head, signature=signature)

    @classmethod
    def from_text(cls, text: str) -> Receipt:
        """Read what `to_text` wrote.

        Raises:
            ValueError: if it is no receipt.
        """
        ledger, entries, head, signature = _split(text.strip())
        return cls(ledger=ledger, entries=int(entries), head=head, signature=signature)

    def to_text(self) -> str:
        """Return the receipt as one line of text."""
        return f"{self.ledger}:{self.entries}:{self.head}:{self.signature}"

    def is_signed_by(self, key: PublicKey) -> bool:
        """Return whether the owner of this key signed the receipt."""
        statement = _statement(self.ledger, self.entries, self.head)
        return key.verify(bytes.fromhex(self.signature), statement)

    def check_follows(self, older: Receipt) -> None:
        """Raise unless this receipt can be of the same ledger at the same time or later.

        Raises:
            LedgerBroken: if the ledger went back, forked or is another one.
        """
        if self.ledger != older.ledger:
            raise LedgerBroken("the receipts are of different ledgers")
        if self.entries < older.entries:
            raise LedgerBroken(
                f"the ledger went back from {older.entries} entries to {self.entries}: its end was "
                "cut off, or an old copy was put back"
            )
        if self.entries == older.entries and self.head != older.head:
            raise LedgerBroken(
                f"two receipts over {self.entries} entries differ: the ledger was copied and both "
                "copies were used"
            )


def _split(text: str) -> tuple[str, ...]:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(
            "a receipt must be four parts joined by colons, as 'fedsynth site ledger export' "
            f"writes them, got {text!r:.40}"
        )
    return found.groups()


def _statement(ledger: str, entries: int, head: str) -> bytes:
    return f"fedsynth ledger receipt {ledger} {entries} {head}".encode()
