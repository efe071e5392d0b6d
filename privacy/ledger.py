"""A site's ledger: every mechanism ever run, or promised to run, on one data set.

How a site must use it: `reserve` everything a study will do; `mark` a part as running before that
part reads a row; `mark` the study done or failed. Nothing gives budget back. A part can be marked
running once only, so a crash or a repeated request can never cause a second release from one
reservation. Epsilon is always recomputed from the entries. Every entry is signed by the site.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from privacy.accounting import AccountantName, compute_epsilon
from privacy.approvals import Approval, check_change
from privacy.budget import Adjacency, Budget
from privacy.events import Event
from privacy.keys import PublicKey, SigningKey
from privacy.ledger_book import Book
from privacy.ledger_entries import NO_DIGEST, LedgerEntry, LedgerHeader, State, hash_details, seal
from privacy.ledger_file import create_file
from privacy.ledger_rules import (
    check_allowed,
    check_lasting,
    check_note,
    check_request,
    check_same,
    check_transition,
    new_entry,
    select_reservation,
)
from privacy.ledger_store import LedgerStore, read_book
from privacy.policy import MIXTURE, Policy
from privacy.receipts import Receipt

__all__ = ["Ledger"]


class Ledger:
    """The ledger in one file. Make one with `create` or `open`.

    Args:
        store: the file, verified.
        header: what the ledger was opened with.
    """

    def __init__(self, store: LedgerStore, header: LedgerHeader) -> None:
        self._store = store
        self._header = header

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        site: str,
        dataset: str,
        policy: Policy,
        key: SigningKey,
        adjacency: Adjacency | str = Adjacency.ADD_OR_REMOVE_ONE,
    ) -> "Ledger":
        """Create the ledger of a data set, once in the life of the data set.

        Args:
            path: a file that does not exist; only its owner may read it.
            site: name of the site.
            dataset: name of the data set.
            policy: what the site allows; its delta, unit and hold-out are fixed for life.
            key: the site's key, which signs every entry.
            adjacency: neighbouring relation; only `"add_or_remove_one"` is supported.

        Raises:
            ValueError: if an argument is out of range or the path already holds something.
        """
        header = LedgerHeader(
            site=site,
            dataset=dataset,
            public_key=key.public,
            policy=policy,
            adjacency=Adjacency(adjacency),
        )
        opening = new_entry(State.OPENED, details=header.to_details())
        row = seal(opening, position=1, previous=NO_DIGEST, key=key)
        create_file(Path(path), row)
        return cls(LedgerStore(Path(path), Book([row]), key), header)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        key: SigningKey | None = None,
        public_key: PublicKey | None = None,
    ) -> "Ledger":
        """Open an existing ledger after checking its whole chain and every signature.

        Args:
            path: the file.
            key: the site's key, to write; without it the ledger can only be read.
            public_key: the key that must have signed it; that of `key` when left out.

        Raises:
            LedgerBroken: if it was altered or was signed with another key.
            ValueError: if the file is missing or is not a ledger.
        """
        expected = key.public if key is not None else public_key
        book = read_book(Path(path), public_key=expected)
        return cls(LedgerStore(Path(path), book, key), book.header)

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def header(self) -> LedgerHeader:
        """Site, data set, key, first policy and adjacency."""
        return self._header

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._store.read().policy

    @property
    def policy_digest(self) -> str:
        """Digest of the entry that put the policy in force; an approval refers to it."""
        return self._store.read().policy_digest

    @property
    def budget(self) -> Budget:
        """The most that everything released from the data set may cost one unit."""
        return self.policy.budget

    def check(
        self,
        events: Sequence[Event],
        *,
        study: str = "",
        rounds: int = 0,
        model: str = MIXTURE,
        details: Mapping[str, str] | None = None,
        needs: Collection[str] = (),
    ) -> None:
        """Raise what `reserve` would raise; write nothing. Without a study it is taken as new."""
        with self._store.lock:
            book = self._store.read()
            known = book.of_study(study) if study else ()
            if known:
                check_same(known, tuple(events), hash_details(dict(details or {})))
            else:
                check_allowed(book, tuple(events), rounds, model, needs)

    def reserve(
        self,
        study: str,
        events: Sequence[Event],
        *,
        rounds: int = 0,
        model: str = MIXTURE,
        details: Mapping[str, str] | None = None,
        lasting: Collection[str] = (),
        needs: Collection[str] = (),
    ) -> str:
        """Charge a study's events, durably, before any row is read.

        The same study with the same events and details again returns the reservation that exists
        and costs nothing. What was already marked running stays used: `mark` refuses it.

        Args:
            study: id of the study.
            events: all mechanisms the study will run at this site, at least one.
            rounds: adversarial rounds the study asks for.
            model: generator family it trains.
            details: public facts about the study, such as its configuration; no counts of rows.
            lasting: names of details that must be the same in all studies of the ledger.
            needs: settings of the policy that must be true for it.

        Returns:
            The id of the reservation.

        Raises:
            BudgetExceeded: if the budget does not allow it; the ledger is unchanged.
            PolicyViolation: if the policy does not allow it; the ledger is unchanged.
            StudyChanged: if the study is known with other events or details, or a lasting detail is
                another one than before.
            ValueError: if an argument is malformed.
        """
        events, details = tuple(events), dict(details or {})
        check_request(study, events, details)
        with self._store.write() as (book, page):
            known = book.of_study(study)
            if known:
                return check_same(known, events, hash_details(details))
            check_lasting(book, details, lasting)
            check_allowed(book, events, rounds, model, needs)
            reservation = uuid.uuid4().hex
            for event in events:
                page.add(
                    new_entry(State.RESERVED, study, reservation, event=event, details=details)
                )
        return reservation

    def mark(self, reservation: str, state: State | str, note: str = "") -> None:
        """Record that a part of a reservation begins, or how the study ended.

        Args:
            reservation: what `reserve` returned.
            state: `"running"`, `"done"` or `"failed"`.
            note: a short code in lower-case words and digits joined by hyphens. With `"running"`
                it names the part that begins (`"sketch"`, `"round-1"`).

        Raises:
            AlreadyReleased: if that part has begun before, or the reservation is done or failed;
                then the caller must not touch the data.
            ValueError: if the reservation is unknown or an argument is malformed.
        """
        wanted = State(state)
        if wanted not in (State.RUNNING, State.DONE, State.FAILED):
            raise ValueError(f"state must be 'running', 'done' or 'failed', got {wanted.value!r}")
        check_note(note)
        with self._store.write() as (book, page):
            known = select_reservation(book, reservation)
            check_transition(known, wanted, note)
            page.add(new_entry(wanted, known[0].study, reservation, note=note))

    def change_policy(self, policy: Policy, approval: Approval | None = None) -> None:
        """Put another policy in force, for all reservations from now on.

        Args:
            policy: the new policy; the same one again changes nothing.
            approval: of somebody whom the policy in force names; not needed if it only tightens.

        Raises:
            PolicyViolation: if it is looser and nobody who may has approved it.
            ValueError: if it changes what is fixed for life.
        """
        details = {"policy": policy.to_json()} | (approval.to_details() if approval else {})
        with self._store.write() as (book, page):
            if policy == book.policy:
                return
            check_change(book.policy, details, book.policy_digest)
            page.add(new_entry(State.POLICY, details=details))

    def state(self, reservation: str) -> State:
        """Return the latest state of a reservation."""
        return select_reservation(self._store.read(), reservation)[-1].state

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return everything written so far, oldest first, the opening entry included."""
        return tuple(self._store.read().entries)

    def events(self) -> tuple[Event, ...]:
        """Return every event ever reserved; failed studies count like all others."""
        return self._store.read().events()

    def epsilon(self, accountant: AccountantName = "pld") -> float:
        """Return the epsilon of everything reserved, at the budget's delta."""
        book = self._store.read()
        return compute_epsilon(book.events(), book.policy.delta, accountant)

    def remaining(self) -> float:
        """Return the budget's epsilon minus what is reserved by PLD, at least 0.

        Epsilons do not add up: use `check` to learn whether given events still fit.
        """
        return max(0.0, self.budget.epsilon - self.epsilon())

    def head(self) -> str:
        """Return the digest of the last entry, which vouches for all entries before it."""
        return self._store.read().head

    def receipt(self) -> Receipt:
        """Return the head, signed, for others to keep.

        Raises:
            ValueError: if the ledger was opened without the site's key.
        """
        book = self._store.read()
        return Receipt.sign(
            self._store.key, ledger=book.entries[0].digest, entries=len(book), head=book.head
        )

    def check_receipt(self, receipt: Receipt) -> None:
        """Raise LedgerBroken unless this ledger is the one the receipt was given for, or older."""
        self._store.read().check_receipt(receipt)

    def to_dict(self) -> dict[str, object]:
        """Return the header and every entry, JSON-ready; `replay_ledger` sums them up."""
        return {
            "header": self.header.to_details(),
            "entries": [entry.to_dict() for entry in self.entries()],
        }
