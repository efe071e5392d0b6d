"""``fedsynth verify``: what a reader can find out about a release without asking anybody."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from privacy import Envelope
from server.attestation import checks
from server.attestation.canaries import CANARIES_FILE, check_canaries, read_canaries
from server.attestation.figures import REPORT_FILE, check_epsilon, check_report, read_report
from server.attestation.folder import hash_file, read_folder
from server.attestation.ledgers import check_ledgers
from server.attestation.predicate import (
    ENVELOPE_FILE,
    PAYLOAD_TYPE,
    PREDICATE_FAMILY,
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    Statement,
)
from server.attestation.verdict import ReleaseBroken, TrustedKeys, Verdict

_MOST_BYTES: Final = {ENVELOPE_FILE: 64 << 20, REPORT_FILE: 256 << 20, CANARIES_FILE: 256 << 20}
"""These are read as a whole, by whoever got them from a stranger; real ones have few megabytes."""


def verify_release(folder: Path, trusted: TrustedKeys | None = None) -> Verdict:
    """Check all that can be checked of a release; nothing is written into it.

    Args:
        folder: the release.
        trusted: whose signatures the reader accepts; without it any key will do.

    Raises:
        ReleaseBroken: if there is no statement that could be checked, or what must be read for it
            is too large.
    """
    _check_sizes(folder)
    envelope = _read_envelope(folder)
    statement = _read_statement(envelope)
    predicate = statement.predicate
    try:
        content = read_folder(folder)
    except OSError as error:
        raise ReleaseBroken(f"{folder} cannot be listed ({error.strerror}).") from None
    report, canaries = read_report(folder, content), read_canaries(folder, content)
    signers = checks.find_signers(envelope, predicate, trusted)
    return Verdict(
        statement=statement,
        signers=signers,
        checks=(
            checks.check_envelope(envelope, predicate),
            checks.check_files(statement, content),
            checks.check_receipts(predicate),
            checks.check_settings(predicate),
            check_ledgers(predicate, folder, content, canaries),
            check_epsilon(predicate),
            check_report(predicate, folder, content, report),
            check_canaries(predicate, canaries, report),
            checks.check_trust(signers, trusted),
        ),
    )


def find_altered(folder: Path, names: Sequence[str]) -> list[str]:
    """Return which of these files are not those that the release's statement names.

    That is for mishaps, so no signature is checked; a folder without a statement has nothing to
    compare with.

    Args:
        folder: the release.
        names: files to compare; one that is missing, or that the statement does not name, is passed
            over.

    Raises:
        ReleaseBroken: if there is a statement and it cannot be read.
    """
    if not os.path.lexists(folder / ENVELOPE_FILE):
        return []
    _check_sizes(folder)
    statement = _read_statement(_read_envelope(folder))
    stated = {subject.name: subject.digest.sha256 for subject in statement.subject}
    there = [name for name in names if name in stated and (folder / name).is_file()]
    return [name for name in there if hash_file(folder / name) != stated[name]]


def _check_sizes(folder: Path) -> None:
    for name, most in _MOST_BYTES.items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            continue  # whoever reads it says why it cannot be read
        if size > most:
            raise ReleaseBroken(
                f"{folder / name} must have at most {most >> 20} MiB, and it has {size >> 20:,}; "
                "get the release again."
            )


def _read_envelope(folder: Path) -> Envelope:
    path = folder / ENVELOPE_FILE
    try:
        is_folder, is_there = folder.is_dir(), path.is_file()
    except OSError as error:
        raise ReleaseBroken(f"{folder} cannot be read ({error.strerror}).") from None
    if not is_folder:
        raise ReleaseBroken(f"there is no folder {folder}; give the folder of a release.")
    if not is_there:
        raise ReleaseBroken(
            f"{folder} has no signed statement: {ENVELOPE_FILE} is missing; give the folder of a "
            "release, whole."
        )
    try:
        return Envelope.from_text(path.read_bytes().decode("ascii"))
    except OSError as error:
        raise ReleaseBroken(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise ReleaseBroken(
            f"{path} is damaged or was not written by fedsynth: {error}; get the release again."
        ) from None


def _read_statement(envelope: Envelope) -> Statement:
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ReleaseBroken(
            f"{ENVELOPE_FILE} must hold {PAYLOAD_TYPE}, and it holds "
            f"{checks.shown(envelope.payload_type):.80}."
        )
    try:
        content = json.loads(envelope.payload)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("_type") != STATEMENT_TYPE:
        raise ReleaseBroken(f"{ENVELOPE_FILE} must hold an in-toto statement, and it does not.")
    kind = str(content.get("predicateType"))
    if kind != PREDICATE_TYPE:
        known = kind.startswith(PREDICATE_FAMILY)
        way_out = "use a newer fedsynth" if known else "fedsynth cannot check it"
        raise ReleaseBroken(
            f"the statement must be of the form {PREDICATE_TYPE}, and it is "
            f"{checks.shown(kind):.80}; {way_out}."
        )
    try:
        return Statement.model_validate_json(envelope.payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "statement"
        raise ReleaseBroken(
            f"the statement is not of the form {PREDICATE_TYPE}: {where}: {first['msg']}."
        ) from None
