"""A verified reading of a ledger: its entries, and what follows from them.

A book grows by stored rows and checks each as it comes: its place in the chain, the site's
signature, and that a looser policy was approved by somebody who may. It keeps the rows themselves,
so that it can tell whether what is stored is still what was verified, to the last letter.
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
from privacy.stop_rule import Spending, choose_order

__all__ = ["Book"]


class Book:
    """The verified content of one ledger.

    Attributes:
        header: what the ledger was opened with.
        policy: the policy in force.
        policy_digest: digest of the entry that put it in force, to which approvals refer.
        spending: what all events cost, as the stop rule counts it.
    """

    header: LedgerHeader
    policy: Policy
    policy_digest: str
    spending: Spending

    def __init__(self, rows: Iterable[Row], *, public_key: PublicKey | None = None) -> None:
        self._rows: list[Row] = []
        self._entries: list[LedgerEntry] = []
        self._studies: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
        self._reservations: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
        self._expected_key = public_key
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
            check_link(row, position=len(self._rows) + 1, previous=self.head)
            if not self._rows:
                self._open(row)
            check_signature(row, self.header.public_key)
            self._take(parse_row(row))
            self._rows.append(row)

    def extend_from(self, start: int, rows: Sequence[Row]) -> None:
        """Check that stored rows are still those of this book, and take in those that are new.

        Args:
            start: how many rows of this book lie before the first of these.
            rows: all stored rows from there on.

        Raises:
            LedgerBroken: if a row that was verified before is gone or reads differently now.
        """
        known = self._rows[start:]
        if list(rows[: len(known)]) != known:
            at = (i for i, pair in enumerate(zip(known, rows, strict=False)) if pair[0] != pair[1])
            changed = start + 1 + next(at, len(rows))
            raise LedgerBroken(
                f"row {changed} was verified before and was altered or removed since"
            )
        self.extend(rows[len(known) :])

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

    def _open(self, row: Row) -> None:
        self.header = parse_header(parse_row(row))
        self.policy = self.header.policy
        # The order of the filter was fixed when the ledger was opened, before any release.
        self.spending = Spending(choose_order(self.header.budget))
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
        elif entry.state is State.OPENED and self._entries:
            raise LedgerBroken(f"row {entry.id} opens the ledger once more")
        if entry.state in (State.OPENED, State.POLICY):
            self.policy_digest = entry.digest
        self._entries.append(entry)
        if entry.reservation:
            self._studies[entry.study].append(entry)
            self._reservations[entry.reservation].append(entry)
        if entry.event is not None:
            self.spending.add(entry.event)
