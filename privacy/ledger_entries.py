"""What a ledger holds: a header, entries, and the chain of digests that ties them together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType

from privacy.budget import Adjacency, Budget, Unit
from privacy.checks import check_one_line
from privacy.events import Event, event_from_dict

__all__ = [
    "LedgerEntry",
    "LedgerHeader",
    "State",
    "compute_digest",
    "hash_details",
    "parse_entries",
    "parse_header",
    "to_json",
]

FORMAT = "fedsynth-ledger-1"
NO_DIGEST = "0" * 64


class State(StrEnum):
    """What an entry says about its reservation."""

    OPENED = "opened"
    RESERVED = "reserved"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class LedgerHeader:
    """What a ledger promises, fixed for life when it is created.

    Args:
        site: name of the site.
        dataset: name of the data set whose whole life the ledger covers.
        budget: the most that everything released from the data set may cost one unit.
        unit: what one neighbouring change adds or removes.
        adjacency: neighbouring relation; only `ADD_OR_REMOVE_ONE` is supported.
    """

    site: str
    dataset: str
    budget: Budget
    unit: Unit = Unit.RECORD
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE

    def __post_init__(self) -> None:
        check_one_line(self.site, name="site")
        check_one_line(self.dataset, name="dataset")
        object.__setattr__(self, "unit", Unit(self.unit))
        object.__setattr__(self, "adjacency", Adjacency(self.adjacency))
        if self.adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
            raise ValueError(
                f"adjacency must be 'add_or_remove_one' in a ledger, got {self.adjacency.value!r}; "
                "calibration and the rule for later studies are proven for that relation only"
            )

    def to_details(self) -> dict[str, str]:
        """Return the header as the details of a ledger's first entry; floats keep every bit."""
        return {
            "format": FORMAT,
            "site": self.site,
            "dataset": self.dataset,
            "epsilon": repr(self.budget.epsilon),
            "delta": repr(self.budget.delta),
            "unit": self.unit.value,
            "adjacency": self.adjacency.value,
        }


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of a ledger.

    Args:
        id: position, from 1, without gaps.
        time: UTC, ISO 8601.
        study: id of the study, empty in the opening entry.
        reservation: id of the reservation, empty in the opening entry.
        state: what this entry says.
        event: the mechanism that was reserved, only when `state` is reserved.
        note: short code, such as the part of the study that began or why it failed.
        details: public facts about the study, only when `state` is reserved or opened.
        config_hash: SHA-256 of the details.
        code_version: version of this program.
        libraries: versions of the libraries that noise and accounting rest on.
        digest: SHA-256 over this entry and the digest before it.
    """

    id: int
    time: str
    study: str
    reservation: str
    state: State
    event: Event | None
    note: str
    details: Mapping[str, str] = field(default_factory=dict)
    config_hash: str
    code_version: str
    libraries: Mapping[str, str]
    digest: str = ""

    @property
    def purpose(self) -> str:
        """What the reserved mechanism is for, or nothing."""
        return self.event.purpose if self.event else ""

    def to_row(self) -> dict[str, str | int]:
        """Return the columns of this entry as they are stored."""
        return {
            "id": self.id,
            "time": self.time,
            "study": self.study,
            "reservation": self.reservation,
            "state": self.state.value,
            "mechanism": to_json(self.event.to_dict()) if self.event else "",
            "note": self.note,
            "details": to_json(self.details),
            "config_hash": self.config_hash,
            "code_version": self.code_version,
            "libraries": to_json(self.libraries),
            "digest": self.digest,
        }

    def to_dict(self) -> dict[str, object]:
        """Return a JSON-ready mapping for reports."""
        return self.to_row() | {
            "mechanism": self.event.to_dict() if self.event else None,
            "purpose": self.purpose,
            "details": dict(self.details),
            "libraries": dict(self.libraries),
        }


COLUMNS = tuple("mechanism" if f.name == "event" else f.name for f in fields(LedgerEntry))


def to_json(value: Mapping[str, object]) -> str:
    """Return canonical JSON: sorted keys, no spaces, floats that read back exactly."""
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_details(details: Mapping[str, str]) -> str:
    """Return the SHA-256 of public details, independent of their order."""
    return hashlib.sha256(to_json(details).encode()).hexdigest()


def compute_digest(entry: LedgerEntry, previous: str) -> str:
    """Return the digest that ties this entry to the one before it."""
    row = entry.to_row() | {"digest": previous}
    return hashlib.sha256(to_json(row).encode()).hexdigest()


def parse_entries(rows: Sequence[Sequence[str | int]]) -> tuple[LedgerEntry, ...]:
    """Return the entries stored in rows whose columns are `COLUMNS`.

    Raises:
        ValueError: naming the first row that was altered, removed or cannot be read.
    """
    entries: list[LedgerEntry] = []
    previous = NO_DIGEST
    for position, row in enumerate(rows, start=1):
        try:
            entry = _parse_entry(dict(zip(COLUMNS, row, strict=True)))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"row {position} cannot be read: {error}") from error
        if entry.id != position or entry.digest != compute_digest(entry, previous):
            raise ValueError(f"row {position} was altered, or a row before it was removed")
        previous = entry.digest
        entries.append(entry)
    return tuple(entries)


def parse_header(entries: Sequence[LedgerEntry]) -> LedgerHeader:
    """Return the header in the first entry.

    Raises:
        ValueError: if there is no readable opening entry.
    """
    details = dict(entries[0].details) if entries else {}
    if details.pop("format", None) != FORMAT:
        raise ValueError(f"the first row must open a ledger of format {FORMAT}")
    try:
        budget = Budget(epsilon=float(details["epsilon"]), delta=float(details["delta"]))
        return LedgerHeader(
            site=details["site"],
            dataset=details["dataset"],
            budget=budget,
            unit=Unit(details["unit"]),
            adjacency=Adjacency(details["adjacency"]),
        )
    except KeyError as error:
        raise ValueError(f"the first row lacks {error}") from error


def _parse_entry(row: Mapping[str, str | int]) -> LedgerEntry:
    mechanism = str(row["mechanism"])
    return LedgerEntry(
        id=int(row["id"]),
        time=str(row["time"]),
        study=str(row["study"]),
        reservation=str(row["reservation"]),
        state=State(str(row["state"])),
        event=event_from_dict(json.loads(mechanism)) if mechanism else None,
        note=str(row["note"]),
        details=MappingProxyType(json.loads(str(row["details"]))),
        config_hash=str(row["config_hash"]),
        code_version=str(row["code_version"]),
        libraries=MappingProxyType(json.loads(str(row["libraries"]))),
        digest=str(row["digest"]),
    )
