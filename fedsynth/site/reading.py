"""A ledger chosen on the command line, verified; the file is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from client.site import Site, load_site
from fedsynth.public_keys import read_public_key
from privacy import LedgerBroken, LedgerSummary, PublicKey, Receipt
from privacy.ledger_book import Book
from privacy.ledger_file import naming
from privacy.ledger_store import read_book
from privacy.replay import summarise_book
from synthesis import InputError


@dataclass(frozen=True, kw_only=True)
class LedgerSource:
    """Which ledger, and what is known of it from elsewhere.

    Attributes:
        path: the file.
        argument: what messages call it.
        public_key: that must have signed it; the one it names counts when left out.
        receipts: that must still be true.
        own_receipt: the last one that the site itself gave, which must be true too.
        site: whose it is, if it lies in a site's folder.
    """

    path: Path
    argument: str = "ledger"
    public_key: PublicKey | None = None
    receipts: tuple[Receipt, ...] = ()
    own_receipt: Receipt | None = None
    site: Site | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LedgerReading:
    """A verified ledger: its entries, and what they add up to."""

    book: Book

    @cached_property
    def summary(self) -> LedgerSummary:
        """What the entries add up to, counted when it is asked for."""
        return summarise_book(self.book)


def source_of_site(site: Site) -> LedgerSource:
    """Return the ledger of a site, which must bear that site's signature."""
    return LedgerSource(
        path=site.folder / site.config.ledger,
        public_key=site.public_key,
        own_receipt=site.last_receipt,
        site=site,
    )


def choose_ledger(site: Path | None, ledger: Path | None) -> LedgerSource:
    """Return the ledger in a site's folder, or in a file that lies anywhere.

    Raises:
        InputError: if both are given, or the folder is not a site's.
    """
    if ledger is None:
        return source_of_site(load_site(site or Path(".")))
    if site is not None:
        raise InputError(
            "site and ledger must not both be given; a site's folder has its own ledger.",
            argument="ledger",
        )
    return LedgerSource(path=ledger)


def read_receipts(given: Sequence[str]) -> tuple[Receipt, ...]:
    """Return receipts from the command line, each as it is or in a file.

    Raises:
        InputError: if one is neither.
    """
    return tuple(map(_read_receipt, given))


def read_ledger(source: LedgerSource) -> LedgerReading:
    """Verify a ledger.

    Raises:
        InputError: if there is no file, or it is not a ledger.
        LedgerBroken: if it was altered, signed with another key, or is older than a receipt.
    """
    try:
        book = read_book(source.path, public_key=source.public_key)
    except LedgerBroken as error:
        root = _chain(error)[-1]
        if isinstance(root, LedgerBroken):
            raise
        message = f"{source.argument}: {source.path} is not a ledger, or is damaged beyond reading"
        raise InputError(f"{message} ({root}).", argument=source.argument) from error
    except ValueError:
        raise InputError(
            f"{source.argument}: there is no ledger at {source.path}; check the path, or restore "
            "the latest copy.",
            argument=source.argument,
        ) from None
    except sqlite3.Error as error:
        raise InputError(
            f"{source.argument}: {source.path} cannot be read ({error}); check that you may read "
            "it and that no other program holds it.",
            argument=source.argument,
        ) from None
    with naming(source.path):
        own = () if source.own_receipt is None else (source.own_receipt,)
        for receipt in (*source.receipts, *own):
            book.check_receipt(receipt)
    return LedgerReading(book=book)


def with_proof(source: LedgerSource, key: str | None, receipts: Sequence[str]) -> LedgerSource:
    """Return the source with what somebody else knows of it, as given on the command line.

    Raises:
        InputError: if key or receipt is malformed.
    """
    public_key = source.public_key
    if key is not None:
        public_key = read_public_key(key, argument="key")
    return replace(source, public_key=public_key, receipts=read_receipts(receipts))


def judge_ledger(source: LedgerSource) -> tuple[bool, str]:
    """Return whether a ledger is whole, and a sentence that says so or why not.

    Raises:
        InputError: if there is no file.
    """
    try:
        reading = read_ledger(source)
    except LedgerBroken as error:
        return False, f"The ledger cannot be trusted: {reason_of(error)}."
    except InputError as error:
        if isinstance(error.__cause__, LedgerBroken):
            return False, f"The ledger cannot be trusted: {source.path} is not a ledger any more."
        raise
    summary = reading.summary
    if not summary.is_within_budget:
        return False, (
            f"The ledger is whole, but its epsilon of {summary.epsilon_pld:.4f} is above the "
            f"{summary.policy.epsilon:g} that its policy allows."
        )
    return True, f"The ledger is whole: {describe_proof(reading, source)}"


def describe_proof(reading: LedgerReading, source: LedgerSource) -> str:
    """Return what was proven of a ledger, as the end of a sentence."""
    summary = reading.summary
    number = "1 entry" if summary.entries == 1 else f"{summary.entries} entries"
    parts = [number, f"signed by {summary.header.public_key.fingerprint}"]
    ages = sorted({receipt.entries for receipt in source.receipts})
    if ages:
        noun = "receipt" if len(ages) == 1 else "receipts"
        over = " and ".join(map(str, ages))
        parts.append(f"extends the {noun} over {over} entries")
    return (
        f"{', '.join(parts)}; spent epsilon {summary.epsilon_pld:.4f} of "
        f"{summary.policy.epsilon:g} at delta {summary.policy.delta:g}."
    )


def reason_of(error: LedgerBroken) -> str:
    """Return why a ledger is not trusted, without the place of the file."""
    return str([each for each in _chain(error) if isinstance(each, LedgerBroken)][-1])


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what caused it, down to the first cause."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain


def _read_receipt(given: str) -> Receipt:
    text = given
    try:
        if given.count(":") < 3 and Path(given).is_file():
            text = Path(given).read_text(encoding="ascii")
        return Receipt.from_text(text)
    except (ValueError, OSError):
        raise InputError(
            f"receipt must be a file or a text that 'fedsynth site ledger export --receipt' wrote, "
            f"got {given!r:.60}; ask for it again.",
            argument="receipt",
        ) from None
