"""Read a ledger and work out, from its entries alone, what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from privacy.accounting import compute_epsilon
from privacy.events import Event
from privacy.keys import PublicKey
from privacy.ledger_book import Book
from privacy.ledger_entries import LedgerEntry, LedgerHeader, State
from privacy.ledger_store import read_book
from privacy.policy import Policy
from privacy.receipts import Receipt

__all__ = ["EventSummary", "LedgerSummary", "ReservationSummary", "replay_ledger"]

_LARGEST_FOR_PRV = 50.0
_MOST_FOR_PRV = 50


@dataclass(frozen=True, kw_only=True)
class EventSummary:
    """One reserved mechanism and the epsilon it would cost if it were alone, by PLD."""

    event: Event
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class ReservationSummary:
    """One study: its events, its own epsilon by PLD, and what became of it.

    `parts` are the notes of the parts that began, in order, such as `("sketch", "round-1")`.
    """

    study: str
    reservation: str
    state: State
    reserved_at: str
    parts: tuple[str, ...]
    note: str
    events: tuple[EventSummary, ...]
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class LedgerSummary:
    """What a ledger says when it is replayed.

    `epsilon_pld` is the reported value; `epsilon_rdp` and `epsilon_prv` are cross-checks and a
    little larger. Single epsilons add up to more than the total, which is how composition works.
    `head` is the digest of the last entry. `policy` is the one in force; `header` holds the first.
    """

    header: LedgerHeader
    policy: Policy
    reservations: tuple[ReservationSummary, ...]
    epsilon_pld: float
    epsilon_rdp: float
    remaining: float
    entries: int
    head: str

    @cached_property
    def epsilon_prv(self) -> float | None:
        """Epsilon by PRV, counted when it is asked for, since Opacus takes seconds to load.

        None above an epsilon of 50 or beyond 50 different events, where it takes minutes.
        """
        if self.epsilon_pld > _LARGEST_FOR_PRV or len(set(self.events)) > _MOST_FOR_PRV:
            return None
        return compute_epsilon(self.events, self.policy.delta, "prv")

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything that was reserved, in order."""
        return tuple(each.event for item in self.reservations for each in item.events)

    @property
    def is_within_budget(self) -> bool:
        """Whether the reported epsilon is at most the budget's."""
        return self.epsilon_pld <= self.policy.epsilon

    def to_dict(self) -> dict[str, object]:
        """Return a JSON-ready mapping for reports."""
        header = self.header
        return {
            "site": header.site,
            "dataset": header.dataset,
            "public_key": header.public_key.hex,
            "unit": header.unit.value,
            "adjacency": header.adjacency.value,
            "budget": {"epsilon": self.policy.epsilon, "delta": self.policy.delta},
            "policy": self.policy.model_dump(mode="json"),
            "epsilon": {
                "pld": self.epsilon_pld,
                "rdp": self.epsilon_rdp,
                "prv": self.epsilon_prv,
            },
            "remaining": self.remaining,
            "is_within_budget": self.is_within_budget,
            "reservations": [_reservation_to_dict(item) for item in self.reservations],
            "entries": self.entries,
            "head": self.head,
        }


def replay_ledger(
    path: str | Path,
    *,
    public_key: PublicKey | None = None,
    receipts: Sequence[Receipt] = (),
) -> LedgerSummary:
    """Verify the ledger in a file and return what it says; the file is not changed.

    Args:
        path: the file.
        public_key: the site's key as others know it; without it, the one in the ledger counts.
        receipts: of this ledger, from whoever holds them; each must still be true.

    Raises:
        LedgerBroken: if the ledger was altered, signed with another key, or is older than a
            receipt.
        ValueError: if the file is missing or is not a ledger.
    """
    book = read_book(Path(path), public_key=public_key)
    for receipt in receipts:
        book.check_receipt(receipt)
    return summarise_book(book)


def summarise_book(book: Book) -> LedgerSummary:
    """Return what a verified book says."""
    delta = book.policy.delta
    events = book.events()
    epsilon = compute_epsilon(events, delta)
    names = dict.fromkeys(entry.reservation for entry in book.entries if entry.reservation)
    return LedgerSummary(
        header=book.header,
        policy=book.policy,
        reservations=tuple(_summarise(book.of_reservation(name), delta) for name in names),
        epsilon_pld=epsilon,
        epsilon_rdp=compute_epsilon(events, delta, "rdp"),
        remaining=max(0.0, book.policy.epsilon - epsilon),
        entries=len(book),
        head=book.head,
    )


def _summarise(entries: Sequence[LedgerEntry], delta: float) -> ReservationSummary:
    events = [entry.event for entry in entries if entry.event is not None]
    first, last = entries[0], entries[-1]
    return ReservationSummary(
        study=first.study,
        reservation=first.reservation,
        state=last.state,
        reserved_at=first.time,
        parts=tuple(entry.note for entry in entries if entry.state is State.RUNNING),
        note=last.note,
        events=tuple(
            EventSummary(event=event, epsilon=compute_epsilon([event], delta)) for event in events
        ),
        epsilon=compute_epsilon(events, delta),
    )


def _reservation_to_dict(item: ReservationSummary) -> dict[str, object]:
    return {
        "study": item.study,
        "reservation": item.reservation,
        "state": item.state.value,
        "reserved_at": item.reserved_at,
        "parts": list(item.parts),
        "note": item.note,
        "events": [each.event.to_dict() | {"epsilon": each.epsilon} for each in item.events],
        "epsilon": item.epsilon,
    }
