"""Sites' ledgers that lie in a release, as in simulations, are replayed against the statement."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from privacy import LedgerBroken, PublicKey, Receipt
from privacy.canaries import COMMITMENT
from privacy.ledger_book import Book
from privacy.ledger_store import read_book
from server.attestation.canaries import CanaryStatement
from server.attestation.checks import shown
from server.attestation.folder import FolderContent
from server.attestation.predicate import Predicate, SiteClaim
from server.attestation.verdict import Check

_MOST_BYTES: Final = 1 << 30
"""A ledger is copied and read as a whole; a million entries fit."""


def check_ledgers(
    predicate: Predicate,
    folder: Path,
    content: FolderContent,
    canaries: CanaryStatement | str | None,
) -> Check:
    """Replay every ledger that is there, and compare its events of this study with the stated.

    The commitment to the coins of canaries must stand in it as it is stated.
    """
    planted = canaries.sites if isinstance(canaries, CanaryStatement) else ()
    commitments = {each.site: each.commitment for each in planted}
    sites = [site for site in predicate.sites if site.ledger is not None]
    problems = []
    with tempfile.TemporaryDirectory(prefix="fedsynth-") as scratch:
        for site in sites:
            book = _read(site, folder, content, Path(scratch) / "ledger.sqlite")
            if isinstance(book, str):
                problems.append(f"the ledger of site {shown(site.name)} {book}")
                continue
            problems += _compare(site, book, predicate, commitments.get(site.name))
    return Check(
        name="ledgers",
        found=f"{len(sites)} of {len(predicate.sites)} sites' ledgers are here and were replayed",
        problems=tuple(problems),
    )


def _read(site: SiteClaim, folder: Path, content: FolderContent, copy: Path) -> Book | str:
    """Return a verified ledger, or why there is none; SQLite is let near a copy only."""
    if site.ledger is None or site.ledger not in content.digests:
        return "is missing"
    try:
        path = folder / PurePosixPath(site.ledger)
        if path.stat().st_size > _MOST_BYTES:
            return f"is larger than {_MOST_BYTES >> 20} MiB, which no ledger is"
        shutil.copyfile(path, copy)
        book = read_book(copy, public_key=PublicKey(site.public_key) if site.public_key else None)
        if site.receipt is not None:
            book.check_receipt(Receipt.from_text(site.receipt))
    except (LedgerBroken, ValueError, OSError, sqlite3.Error):
        return "is damaged, or does not fit key and receipt"
    return book


def _compare(
    site: SiteClaim, book: Book, predicate: Predicate, commitment: str | None
) -> Iterator[str]:
    name, study = shown(site.name), predicate.study
    entries = [entry for entry in book.of_study(study.name) if entry.event is not None]
    try:
        is_same = tuple(entry.event for entry in entries) == site.read_events()
    except ValueError:
        is_same = False
    if not is_same:
        yield f"the ledger of site {name} holds other events of this study than are stated"
    if book.header.site != site.name:
        yield f"the ledger of site {name} is of another site"
    digests = {"config-hash": study.digest, "schema": study.schema_digest}
    if any(
        entry.details.get(key) != digest for entry in entries for key, digest in digests.items()
    ):
        yield f"the ledger of site {name} holds another study of this name"
    if any(entry.details.get(COMMITMENT) != commitment for entry in entries):
        yield f"the ledger of site {name} commits to other coins of canaries than are stated"
    policy, guarantee = book.policy, predicate.guarantee
    if (policy.delta, policy.unit) != (guarantee.delta, guarantee.unit):
        yield f"the ledger of site {name} is for another delta or unit"
