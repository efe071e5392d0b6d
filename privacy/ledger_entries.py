"""What a ledger holds: a header, entries, and the chain of signed digests that ties them together.

Digests are taken over what is stored, byte for byte, so that no change of a row goes unseen, not
even one that reads the same.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from privacy.budget import Adjacency, Budget, Unit
from privacy.checks import check_one_line
from privacy.errors import LedgerBroken
from privacy.events import Event, event_from_dict
from privacy.keys import PublicKey, SigningKey
from privacy.policy import Policy

__all__ = [
    "LedgerEntry",
    "LedgerHeader",
    "Row",
    "State",
    "hash_details",
    "parse_header",
    "parse_row",
    "seal",
]

FORMAT = "fedsynth-ledger-2"
NO_DIGEST = "0" * 64
_PURPOSE_OF_SIGNATURE = b"fedsynth ledger entry "

Row: TypeAlias = tuple[Any, ...]
"""The columns of an entry as stored: a whole number, then texts."""


class State(StrEnum):
    """What an entry says: of the ledger (opened, policy) or of a reservation (the others)."""

    OPENED = "opened"
    POLICY = "policy"
    RESERVED = "reserved"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class LedgerHeader:
    """What a ledger was opened with.

    Args:
        site: name of the site.
        dataset: name of the data set whose whole life the ledger covers.
        public_key: of the site, which signs every entry.
        policy: what the site allowed when it opened the ledger.
        adjacency: neighbouring relation; only `ADD_OR_REMOVE_ONE` is supported.
    """

    site: str
    dataset: str
    public_key: PublicKey
    policy: Policy
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE

    def __post_init__(self) -> None:
        check_one_line(self.site, name="site")
        check_one_line(self.dataset, name="dataset")
        object.__setattr__(self, "adjacency", Adjacency(self.adjacency))
        if self.adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
            raise ValueError(
                f"adjacency must be 'add_or_remove_one' in a ledger, got {self.adjacency.value!r}; "
                "calibration and the rule for later studies are proven for that relation only"
            )

    @property
    def budget(self) -> Budget:
        """Epsilon and delta for life, as opened."""
        return self.policy.budget

    @property
    def unit(self) -> Unit:
        """What one neighbouring change adds or removes."""
        return self.policy.unit

    def to_details(self) -> dict[str, str]:
        """Return the header as the details of a ledger's first entry; floats keep every bit."""
        return {
            "format": FORMAT,
            "site": self.site,
            "dataset": self.dataset,
            "public_key": self.public_key.hex,
            "policy": self.policy.to_json(),
            "adjacency": self.adjacency.value,
        }


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of a ledger.

    Args:
        id: position, from 1, without gaps.
        time: UTC, ISO 8601.
        study: id of the study, empty in entries about the ledger.
        reservation: id of the reservation, empty in entries about the ledger.
        state: what this entry says.
        event: the mechanism that was reserved, only when `state` is reserved.
        note: short code, such as the part of the study that began or why it failed.
        details: public facts about the study, the header, or the new policy with its approval.
        config_hash: SHA-256 of the details.
        code_version: version of this program.
        libraries: versions of the libraries that noise and accounting rest on.
        digest: SHA-256 over this entry and the digest before it.
        signature: the site's Ed25519 signature of the digest, hexadecimal.
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
    signature: str = ""

    @property
    def purpose(self) -> str:
        """What the reserved mechanism is for, or nothing."""
        return self.event.purpose if self.event else ""

    def to_row(self) -> Row:
        """Return the columns of this entry as they are stored."""
        return (
            self.id,
            self.time,
            self.study,
            self.reservation,
            self.state.value,
            to_json(self.event.to_dict()) if self.event else "",
            self.note,
            to_json(self.details),
            self.config_hash,
            self.code_version,
            to_json(self.libraries),
            self.digest,
            self.signature,
        )

    def to_dict(self) -> dict[str, object]:
        """Return a JSON-ready mapping for reports."""
        return dict(zip(COLUMNS, self.to_row(), strict=True)) | {
            "mechanism": self.event.to_dict() if self.event else None,
            "purpose": self.purpose,
            "details": dict(self.details),
            "libraries": dict(self.libraries),
        }


COLUMNS = tuple("mechanism" if f.name == "event" else f.name for f in fields(LedgerEntry))
_TYPES = (int, *[str] * (len(COLUMNS) - 1))


def to_json(value: Mapping[str, object]) -> str:
    """Return canonical JSON: sorted keys, no spaces, floats that read back exactly."""
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_details(details: Mapping[str, str]) -> str:
    """Return the SHA-256 of public details, independent of their order."""
    return hashlib.sha256(to_json(details).encode()).hexdigest()


def compute_digest(row: Row, previous: str) -> str:
    """Return the digest that ties a stored row to the one before it."""
    content = json.dumps([*row[:-2], previous], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def seal(entry: LedgerEntry, *, position: int, previous: str, key: SigningKey) -> Row:
    """Return the row that holds an entry at a place in the chain, signed."""
    row = (position, *entry.to_row()[1:-2])
    digest = compute_digest((*row, "", ""), previous)
    return (*row, digest, key.sign(_PURPOSE_OF_SIGNATURE + digest.encode()).hex())


def check_link(row: Row, *, position: int, previous: str) -> str:
    """Return the digest of a stored row if it follows the one before it.

    Raises:
        LedgerBroken: if the row was altered, or a row before it was removed.
    """
    if tuple(map(type, row)) != _TYPES or row[0] != position:
        raise LedgerBroken(f"row {position} was altered, or a row before it was removed")
    digest: str = row[-2]
    if digest != compute_digest(row, previous):
        raise LedgerBroken(f"row {position} was altered, or a row before it was removed")
    return digest


def check_signature(row: Row, public_key: PublicKey) -> None:
    """Raise LedgerBroken unless the site signed this row."""
    try:
        signature = bytes.fromhex(row[-1])
    except ValueError:
        signature = b""
    is_canonical = signature.hex() == row[-1]
    if not is_canonical or not public_key.verify(
        signature, _PURPOSE_OF_SIGNATURE + row[-2].encode()
    ):
        raise LedgerBroken(f"row {row[0]} does not bear the site's signature")


def parse_row(row: Row) -> LedgerEntry:
    """Return the entry stored in a row.

    Raises:
        LedgerBroken: if it cannot be read.
    """
    fields = dict(zip(COLUMNS, row, strict=True))
    mechanism = fields.pop("mechanism")
    try:
        fields["state"] = State(fields["state"])
        fields["event"] = event_from_dict(json.loads(mechanism)) if mechanism else None
        fields["details"] = _read_texts(fields["details"])
        fields["libraries"] = _read_texts(fields["libraries"])
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise LedgerBroken(f"row {row[0]} cannot be read: {error}") from error
    return LedgerEntry(**fields)


def _read_texts(text: str) -> Mapping[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"names and texts were expected, got {text:.80}")
    return MappingProxyType(found)


def parse_header(entry: LedgerEntry) -> LedgerHeader:
    """Return the header in the first entry.

    Raises:
        LedgerBroken: if it does not open a ledger.
    """
    details = entry.details
    if entry.state is not State.OPENED or details.get("format") != FORMAT:
        raise LedgerBroken(f"the first row must open a ledger of format {FORMAT}")
    try:
        return LedgerHeader(
            site=details["site"],
            dataset=details["dataset"],
            public_key=PublicKey(details["public_key"]),
            policy=Policy.from_json(details["policy"]),
            adjacency=Adjacency(details["adjacency"]),
        )
    except KeyError as error:
        raise LedgerBroken(f"the first row lacks {error}") from error
    except ValueError as error:
        raise LedgerBroken(f"the first row cannot be read: {error}") from error
