"""A site's ledger: every mechanism ever run, or promised to run, on one data set.

How a site must use it: `reserve` everything a study will do; `mark` a part as running before that
part reads a row; `mark` the study done or failed. Nothing gives budget back. A part can be marked
running once only, so a crash or a repeated request can never cause a second release from one
reservation. Epsilon is always recomputed from the entries.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from privacy.accounting import AccountantName, compute_epsilon
from privacy.budget import Adjacency, Budget, Unit
from privacy.checks import check_one_line
from privacy.events import Event
from privacy.ledger_entries import LedgerEntry, LedgerHeader, State, hash_details, parse_header
from privacy.ledger_file import append, create_file, read_entries, transaction
from privacy.stop_rule import check_within_budget

__all__ = ["Ledger"]

_LIBRARIES = ("dp-accounting", "numpy", "opacus", "torch")
_NOTE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_TERMINAL = frozenset({State.DONE, State.FAILED})


class Ledger:
    """The ledger in one file. Make one with `create` or `open`.

    Args:
        path: the file.
        header: what the ledger promises.
    """

    def __init__(self, path: Path, header: LedgerHeader) -> None:
        self._path = path
        self._header = header

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        site: str,
        dataset: str,
        budget: Budget,
        unit: Unit | str = Unit.RECORD,
        adjacency: Adjacency | str = Adjacency.ADD_OR_REMOVE_ONE,
    ) -> "Ledger":
        """Create the ledger of a data set, once in the life of the data set.

        Args:
            path: a file that does not exist; only its owner may read it.
            site: name of the site.
            dataset: name of the data set.
            budget: the most that everything released from the data set may cost one unit.
            unit: `"record"` or `"person"`.
            adjacency: neighbouring relation; only `"add_or_remove_one"` is supported.

        Raises:
            ValueError: if an argument is out of range or the path already holds something.
        """
        header = LedgerHeader(
            site=site,
            dataset=dataset,
            budget=budget,
            unit=Unit(unit),
            adjacency=Adjacency(adjacency),
        )
        create_file(Path(path), _new_entry(State.OPENED, details=header.to_details()))
        return cls(Path(path), header)

    @classmethod
    def open(cls, path: str | Path) -> "Ledger":
        """Open an existing ledger after checking its chain of digests.

        Raises:
            ValueError: if the file is missing, is not a ledger or was altered.
        """
        return cls(Path(path), parse_header(read_entries(Path(path))))

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def header(self) -> LedgerHeader:
        """Site, data set, budget, unit and adjacency."""
        return self._header

    @property
    def budget(self) -> Budget:
        """The most that everything released from the data set may cost one unit."""
        return self._header.budget

    def check(self, events: Sequence[Event]) -> None:
        """Raise `BudgetExceeded` if these events could not be reserved now; write nothing."""
        check_within_budget(self.events(), tuple(events), self.budget)

    def reserve(
        self, study: str, events: Sequence[Event], *, details: Mapping[str, str] | None = None
    ) -> str:
        """Charge a study's events, durably, before any row is read.

        The same study with the same events and details again returns the reservation that exists
        and costs nothing. What was already marked running stays used: `mark` refuses it.

        Args:
            study: id of the study.
            events: all mechanisms the study will run at this site, at least one.
            details: public facts about the study, such as its configuration; no counts of rows.

        Returns:
            The id of the reservation.

        Raises:
            BudgetExceeded: if the budget does not allow it; the ledger is unchanged.
            ValueError: if the study is known with other events or details, or is malformed.
        """
        events, details = tuple(events), dict(details or {})
        _check_request(study, events, details)
        with transaction(self._path) as (connection, entries):
            known = [entry for entry in entries if entry.study == study]
            if known:
                return _check_same(known, events, hash_details(details))
            check_within_budget(_events(entries), events, self.budget)
            reservation = uuid.uuid4().hex
            new = [
                _new_entry(State.RESERVED, study, reservation, event=event, details=details)
                for event in events
            ]
            append(connection, entries, new)
        return reservation

    def mark(self, reservation: str, state: State | str, note: str = "") -> None:
        """Record that a part of a reservation begins, or how the study ended.

        Args:
            reservation: what `reserve` returned.
            state: `"running"`, `"done"` or `"failed"`.
            note: a short code in lower-case words and digits joined by hyphens. With `"running"`
                it names the part that begins (`"sketch"`, `"round-1"`).

        Raises:
            RuntimeError: if that part has begun before, or the reservation is done or failed; then
                the caller must not touch the data.
            ValueError: if the reservation is unknown or an argument is malformed.
        """
        wanted = State(state)
        if wanted in (State.OPENED, State.RESERVED):
            raise ValueError(f"state must be 'running', 'done' or 'failed', got {wanted.value!r}")
        if note and (len(note) > 60 or not _NOTE.fullmatch(note)):
            raise ValueError("note must be a code such as 'round-1', at most 60 characters")
        with transaction(self._path) as (connection, entries):
            known = _select(entries, reservation)
            _check_transition(known, wanted, note)
            append(
                connection, entries, [_new_entry(wanted, known[0].study, reservation, note=note)]
            )

    def state(self, reservation: str) -> State:
        """Return the latest state of a reservation."""
        return _select(self.entries(), reservation)[-1].state

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return everything written so far, oldest first, the opening entry included."""
        return read_entries(self._path)

    def events(self) -> tuple[Event, ...]:
        """Return every event ever reserved; failed studies count like all others."""
        return _events(self.entries())

    def epsilon(self, accountant: AccountantName = "pld") -> float:
        """Return the epsilon of everything reserved, at the budget's delta."""
        return compute_epsilon(self.events(), self.budget.delta, accountant)

    def remaining(self) -> float:
        """Return the budget's epsilon minus what is reserved by PLD, at least 0.

        Epsilons do not add up: use `check` to learn whether given events still fit.
        """
        return max(0.0, self.budget.epsilon - self.epsilon())

    def head(self) -> str:
        """Return the digest of the last entry, which vouches for all entries before it."""
        return self.entries()[-1].digest

    def to_dict(self) -> dict[str, object]:
        """Return the header and every entry, JSON-ready; `replay_ledger` sums them up."""
        return {
            "header": self.header.to_details(),
            "entries": [entry.to_dict() for entry in self.entries()],
        }


def _events(entries: Sequence[LedgerEntry]) -> tuple[Event, ...]:
    return tuple(entry.event for entry in entries if entry.event is not None)


def _select(entries: Sequence[LedgerEntry], reservation: str) -> list[LedgerEntry]:
    known = [entry for entry in entries if entry.reservation == reservation != ""]
    if not known:
        raise ValueError(f"reservation must be an id that reserve() returned, got {reservation!r}")
    return known


def _check_request(study: str, events: tuple[Event, ...], details: Mapping[str, str]) -> None:
    check_one_line(study, name="study")
    if not events:
        raise ValueError("events must hold at least one event; nothing else needs a reservation")
    for key, value in details.items():
        check_one_line(key, name="details key")
        check_one_line(value, name=f"details[{key!r}]", longest=2000)


def _check_same(known: Sequence[LedgerEntry], events: tuple[Event, ...], config_hash: str) -> str:
    if _events(known) != events or known[0].config_hash != config_hash:
        raise ValueError(
            f"study {known[0].study!r} is in this ledger with other events or details; "
            "use a new study id"
        )
    return known[0].reservation


def _check_transition(known: Sequence[LedgerEntry], wanted: State, note: str) -> None:
    last = known[-1]
    if last.state in _TERMINAL:
        raise RuntimeError(
            f"reservation {last.reservation} is {last.state.value} and cannot be used again; "
            "reserve a new study"
        )
    if wanted is State.RUNNING and any(e.state is wanted and e.note == note for e in known):
        raise RuntimeError(
            f"part {note!r} of reservation {last.reservation} has begun before; running it again "
            "would be a second release that nobody paid for, so reserve a new study"
        )
    if wanted is State.DONE and last.state is State.RESERVED:
        raise RuntimeError(f"reservation {last.reservation} never ran; mark it running first")


def _new_entry(
    state: State,
    study: str = "",
    reservation: str = "",
    *,
    event: Event | None = None,
    note: str = "",
    details: Mapping[str, str] | None = None,
) -> LedgerEntry:
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
        libraries={name: _version(name) for name in _LIBRARIES},
    )


@lru_cache(maxsize=16)
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
