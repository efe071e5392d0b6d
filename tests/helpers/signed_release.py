"""Releases as a coordinator signs them, made without any training, and ways to forge them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tiny_sites import make_study
from tiny_world import SCHEMA, make_generator

from privacy import Envelope, Receipt, SeededRandomness, SigningKey
from privacy.canaries import flip_coins
from server.attestation import (
    ENVELOPE_FILE,
    Attestation,
    SiteEvents,
    TrustedKeys,
    Verdict,
    sign_release,
)
from server.attestation.canaries import CanaryStatement
from server.attestation.folder import read_folder
from server.canaries import state_canaries
from server.deploy.reporting import make_report
from server.outcome import Attested, Planted, StudyOutcome
from server.release import write_release
from server.report import Report
from synthesis.sampling import sample_table

KEY = SigningKey.from_seed(b"c" * 32)
STRANGER = SigningKey.from_seed(b"x" * 32)
SITES = {7: "north", 9: "south"}
ROWS, SEED = 40, 3
CANARIES = 200


def key_of(name: str) -> SigningKey:
    return SigningKey.from_seed(sha256(name.encode()).digest())


def attest(name: str, entries: int = 9) -> Attested:
    """The receipt of a site's ledger, which nobody has."""
    opened, head = (sha256(f"{name} {use}".encode()).hexdigest() for use in ("first", "last"))
    receipt = Receipt.sign(key_of(name), ledger=opened, entries=entries, head=head)
    return Attested(public_key=key_of(name).public, receipt=receipt)


ALL_KEYS: TrustedKeys = {
    KEY.public: "flu study",
    **{key_of(name).public: name for name in SITES.values()},
}


def make_outcome() -> StudyOutcome:
    generator = make_generator()
    return StudyOutcome(
        generator=generator,
        sketch_generator=generator,
        nodes=tuple(SITES),
        noise_multipliers={},
        epsilons=dict.fromkeys(SITES, 1.0),
        estimated_rows=60.0,
        sketch_noise_std=3.0,
        site_noise_std=2.0,
        phases=(),
        rounds=(),
        receipts={node: attest(name) for node, name in SITES.items()},
    )


def plant(name: str, *, is_open: bool = True) -> Planted:
    """The canaries of a site, whose scores are right about two coins of three."""
    stream = SeededRandomness(sum(name.encode())).stream("coins")
    opening = flip_coins(CANARIES, stream)
    is_wrong = np.arange(CANARIES) % 3 == 0
    return Planted(
        public_key=key_of(name).public,
        commitment=opening.commit(),
        opening=opening if is_open else None,
        scores=(opening.coins != is_wrong) + np.arange(CANARIES) / 1000,
    )


def make_canaries(**closed: bool) -> CanaryStatement:
    """What a release says of canaries at both sites; a site given as ``False`` opened none."""
    planted = {n: plant(name, is_open=closed.get(name, True)) for n, name in SITES.items()}
    outcome = replace(make_outcome(), canaries=planted)
    stated = state_canaries(make_study(), SCHEMA, outcome, SITES)
    assert stated is not None
    return stated


def make_release_report(canaries: CanaryStatement | None = None) -> Report:
    return make_report(make_study(), SCHEMA, make_outcome(), SITES, ROWS, canaries)


def write_signed(folder: Path, report: Report, canaries: CanaryStatement | None = None) -> None:
    """Write a release as ``server run`` does, from a report."""
    folder.mkdir()
    generator = make_generator()
    write_release(
        folder,
        table=sample_table(generator, SCHEMA, ROWS, seed=SEED),
        generator=generator,
        schema=SCHEMA,
        report=report,
        canaries=canaries,
    )
    sign_made(folder, report)


def sign_made(folder: Path, report: Report) -> None:
    """Sign what lies in a folder."""
    study = make_study()
    planned = SiteEvents(events=study.make_plan().events())
    attestation = Attestation(
        key=KEY,
        coordinator="flu study",
        study=study,
        schema_digest=SCHEMA.digest(),
        seed=SEED,
        sites=[planned] * len(report.sites),
    )
    sign_release(folder, report, attestation)


def read_statement(folder: Path) -> dict[str, Any]:
    envelope = Envelope.from_text((folder / ENVELOPE_FILE).read_text())
    statement: dict[str, Any] = json.loads(envelope.payload)
    return statement


def sign_again(
    folder: Path, change: Callable[[dict[str, Any]], object], key: SigningKey = KEY
) -> None:
    """Sign a changed statement, over the files as they now are: a coordinator that lies."""
    statement = read_statement(folder)
    statement["subject"] = [
        {"name": name, "digest": {"sha256": digest}}
        for name, digest in read_folder(folder).digests.items()
    ]
    change(statement)
    write_envelope(folder, json.dumps(statement).encode(), key)


def write_envelope(
    folder: Path,
    payload: bytes,
    key: SigningKey = KEY,
    payload_type: str = "application/vnd.in-toto+json",
) -> None:
    envelope = Envelope.sign(key, payload_type=payload_type, payload=payload)
    (folder / ENVELOPE_FILE).write_text(envelope.to_text())


def flip(path: Path, position: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(bytes(content))


def names_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def failed(verdict: Verdict) -> set[str]:
    assert verdict.holds == all(check.holds for check in verdict.checks)
    return {check.name for check in verdict.checks if not check.holds}


def problems(verdict: Verdict) -> str:
    return "; ".join(problem for check in verdict.checks for problem in check.problems)
