"""``fedsynth verify``: what a reader can find out about a release without asking anybody."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from privacy import Envelope
from server.attestation import checks
from server.attestation.canaries import check_canaries, read_canaries
from server.attestation.figures import check_epsilon, check_report, read_report
from server.attestation.folder import read_folder
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


def verify_release(folder: Path, trusted: TrustedKeys | None = None) -> Verdict:
    """Check all that can be checked of a release; nothing is written into it.

    Args:
        folder: the release.
        trusted: whose signatures the reader accepts; without it any key will do.

    Raises:
        ReleaseBroken: if there is no statement that could be checked.
    """
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


def _read_envelope(folder: Path) -> Envelope:
    path = folder / ENVELOPE_FILE
    if not folder.is_dir():
        raise ReleaseBroken(f"there is no folder {folder}; give the folder of a release.")
    if not path.is_file():
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
