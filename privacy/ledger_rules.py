"""What may be written in a ledger, and how an entry of it is made."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata

from privacy.checks import check_one_line
from privacy.errors import AlreadyReleased, StudyChanged
from privacy.events import Event
from privacy.ledger_book import Book
from privacy.ledger_entries import LedgerEntry, State, hash_details
from privacy.policy import check_study
from privacy.stop_rule import check_within_budget

__all__ = [
    "check_allowed",
    "check_lasting",
    "check_note",
    "check_request",
    "check_same",
    "check_transition",
    "new_entry",
    "select_reservation",
]

_LIBRARIES = ("cryptography", "dp-accounting", "numpy", "opacus", "torch")
_NOTE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_TERMINAL = frozenset({State.DONE, State.FAILED})


def check_note(note: str) -> None:
    """Raise ValueError unless a note is empty or a code."""
    if note and (len(note) > 60 or not _NOTE.fullmatch(note)):
        raise ValueError("note must be a code such as 'round-1', at most 60 characters")


def check_allowed(
    book: Book, events: tuple[Event, ...], rounds: int, model: str, needs: Collection[str] = ()
) -> None:
    """Raise BudgetExceeded or PolicyViolation unless a new study with these events is allowed."""
    check_study(book.policy, events, rounds=rounds, model=model, needs=needs)
    check_within_budget(book.spending, events, book.policy.budget)


def check_lasting(book: Book, details: Mapping[str, str], lasting: Collection[str]) -> None:
    """Raise StudyChanged unless these details are those of every reservation before."""
    for name in lasting:
        if any(
            e.details.get(name, details[name]) != details[name] for e in book.entries if e.event
        ):
            raise StudyChanged(f"details {name!r} must be the same in all studies of this ledger")


def select_reservation(book: Book, reservation: str) -> Sequence[LedgerEntry]:
    """Return the entries of a reservation; ValueError if there are none."""
    known = book.of_reservation(reservation)
    if not known:
        raise ValueError(f"reservation must be an id that reserve() returned, got {reservation!r}")
    return known


def check_request(study: str, events: tuple[Event, ...], details: Mapping[str, str]) -> None:
    """Raise ValueError unless a request can be written down as it is."""
    check_one_line(study, name="study")
    if not events:
        raise ValueError("events must hold at least one event; nothing else needs a reservation")
    for key, value in details.items():
        check_one_line(key, name="details key")
        check_one_line(value, name=f"details[{key!r}]", longest=2000)


def check_same(known: Sequence[LedgerEntry], events: tuple[Event, ...], config_hash: str) -> str:
    """Return the reservation of a known study; StudyChanged if it is not the same study again."""
    reserved = tuple(entry.event for entry in known if entry.event is not None)
    if reserved != events or known[0].config_hash != config_hash:
        raise StudyChanged(
            f"study {known[0].study!r} is in this ledger with other events or details; "
            "use a new study id"
        )
    return known[0].reservation


def check_transition(known: Sequence[LedgerEntry], wanted: State, note: str) -> None:
    """Raise RuntimeError unless a reservation may go on to a state."""
    last = known[-1]
    if last.state in _TERMINAL:
        raise AlreadyReleased(
            f"reservation {last.reservation} is {last.state.value} and cannot be used again; "
            "reserve a new study"
        )
    if wanted is State.RUNNING and any(e.state is wanted and e.note == note for e in known):
        raise AlreadyReleased(
            f"part {note!r} of reservation {last.reservation} has begun before; running it again "
            "would be a second release that nobody paid for, so reserve a new study"
        )
    if wanted is State.DONE and last.state is State.RESERVED:
        raise RuntimeError(f"reservation {last.reservation} never ran; mark it running first")


def new_entry(
    state: State,
    study: str = "",
    reservation: str = "",
    *,
    event: Event | None = None,
    note: str = "",
    details: Mapping[str, str] | None = None,
) -> LedgerEntry:
    """Return an entry of this moment and this software; its place comes when it is sealed."""
    return LedgerEntry(
        id=0,
        time=datetime.now(UTC).isoformat(timespec="microseconds"),
        study=study,
        reservation=reservation,
        state=state,
        event=event,
        note=note,
        details=details or {},
        config_hash=hash_details(details or {}),
        code_version=_version("fedsynth"),
        libraries=_versions(),
    )


@lru_cache(maxsize=1)
def _versions() -> Mapping[str, str]:
    return {name: _version(name) for name in _LIBRARIES}


@lru_cache(maxsize=16)
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
