"""A verified reading of a ledger: its entries, and what follows from them.

A book grows by stored rows and checks each as it comes: its place in the chain, the site's
signature, and that a looser policy was approved by somebody who may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from privacy.approvals import check_change
from privacy.errors import LedgerBroken, PolicyViolation
from privacy.events import Event
from privacy.keys import PublicKey
from privacy.ledger_entries import (
    NO_DIGEST,
    LedgerEntry,
    LedgerHeader,
    Row,
    State,
    check_link,
    check_signature,
    parse_header,
    parse_row,
)
from privacy.policy import Policy
from privacy.receipts import Receipt
from privacy.stop_rule import Steps, count_event

__all__ = ["Book"]


class Book:
    """The verified content of one ledger.

    Attributes:
        header: what the ledger was opened with.
        policy: the policy in force.
        policy_digest: digest of the entry that put it in force, to which approvals refer.
        steps: releases so far, per part and then per (noise multiplier, sample rate).
    """

    header: LedgerHeader
    policy: Policy
    policy_digest: str

    def __init__(self, rows: Iterable[Row], *, public_key: PublicKey | None = None) -> None:
        self._entries: list[LedgerEntry] = []
        self._studies: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
        self._reservations: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
        self._expected_key = public_key
        self.steps: Steps = {}
        self.extend(rows)
        if not self._entries:
            raise LedgerBroken("there is no first row")

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def head(self) -> str:
        """Digest of the last entry, which vouches for all entries before it."""
        return self._entries[-1].digest if self._entries else NO_DIGEST

    @property
    def entries(self) -> Sequence[LedgerEntry]:
        """All entries, oldest first; not to be changed."""
        return self._entries

    def of_study(self, study: str) -> Sequence[LedgerEntry]:
        """Return the entries of one study."""
        return self._studies.get(study, ())

    def of_reservation(self, reservation: str) -> Sequence[LedgerEntry]:
        """Return the entries of one reservation."""
        return self._reservations.get(reservation, ())

    def events(self) -> tuple[Event, ...]:
        """Return every event ever reserved; failed studies count like all others."""
        return tuple(entry.event for entry in self._entries if entry.event is not None)

    def extend(self, rows: Iterable[Row]) -> None:
        """Verify the rows that follow, and take them in.

        Raises:
            LedgerBroken: naming the first row that is not what it should be; rows before it stay.
        """
        for row in rows:
            position = len(self._entries) + 1
            check_link(row, position=position, previous=self.head)
            entry = parse_row(row)
            if position == 1:
                self._open(entry)
            check_signature(row, self.header.public_key)
            self._take(entry)

    def check_same(self, rows: Sequence[Row]) -> None:
        """Raise LedgerBroken unless the stored rows are still those of this book."""
        previous = NO_DIGEST
        for position, row in enumerate(rows, start=1):
            previous = check_link(row, position=position, previous=previous)
        if previous != self.head:
            raise LedgerBroken("rows that were verified before are not there any more")

    def check_receipt(self, receipt: Receipt) -> None:
        """Raise unless the ledger is the one that the receipt was given for, at its age or older.

        Raises:
            LedgerBroken: if the receipt was not signed by this site, or the ledger went back or was
                written anew.
        """
        if not receipt.is_signed_by(self.header.public_key):
            raise LedgerBroken("the receipt was not signed with the key of this ledger")
        if receipt.ledger != self._entries[0].digest:
            raise LedgerBroken("the receipt is of another ledger of this site")
        if receipt.entries > len(self._entries):
            raise LedgerBroken(
                f"a receipt is held over {receipt.entries} entries and {len(self._entries)} are "
                "here: the end was cut off, or an old copy was put back"
            )
        if receipt.head != self._entries[receipt.entries - 1].digest:
            raise LedgerBroken(
                f"entry {receipt.entries} is not the one a receipt is held for: the ledger was "
                "copied, and this copy was written on by itself"
            )

    def _open(self, entry: LedgerEntry) -> None:
        self.header = parse_header([entry])
        self.policy = self.header.policy
        expected = self._expected_key
        if expected is not None and expected != self.header.public_key:
            raise LedgerBroken(
                f"it is signed with key {self.header.public_key.fingerprint}, expected was "
                f"{expected.fingerprint}"
            )

    def _take(self, entry: LedgerEntry) -> None:
        if entry.state is State.POLICY:
            try:
                self.policy = check_change(self.policy, entry.details, self.policy_digest)
            except (PolicyViolation, ValueError, KeyError) as error:
                raise LedgerBroken(f"row {entry.id} changes the policy: {error}") from error
        if entry.state in (State.OPENED, State.POLICY):
            self.policy_digest = entry.digest
        self._entries.append(entry)
        if entry.reservation:
            self._studies[entry.study].append(entry)
            self._reservations[entry.reservation].append(entry)
        if entry.event is not None:
            count_event(self.steps, entry.event)
