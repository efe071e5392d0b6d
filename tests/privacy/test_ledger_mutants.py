"""Checks of the ledger that can fail: applied to the real thing, then to broken versions of it."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from signed_ledgers import alter, create_ledger, drop_triggers, open_ledger

from privacy import (
    BudgetExceeded,
    GaussianEvent,
    Ledger,
    State,
    ledger_file,
    ledger_rules,
    replay_ledger,
)
from privacy import ledger as ledger_module
from privacy.ledger_book import Book
from privacy.ledger_entries import NO_DIGEST
from privacy.stop_rule import Spending

MOST_OF_IT = GaussianEvent(noise_multiplier=4.5, purpose="sketch")
Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def make_ledger(folder: Path) -> Ledger:
    return create_ledger(folder / "ledger.db")


def check_nothing_gives_budget_back(folder: Path) -> None:
    ledger = make_ledger(folder)
    reservation = ledger.reserve("first", [MOST_OF_IT])
    ledger.mark(reservation, "failed", "crashed")
    assert ledger.epsilon() > 0.8
    with contextlib.suppress(BudgetExceeded):
        open_ledger(ledger.path).reserve("second", [MOST_OF_IT])
    assert ledger.epsilon() <= ledger.budget.epsilon
    assert ledger.epsilon() > 0.8


def check_each_part_begins_once(folder: Path) -> None:
    ledger = make_ledger(folder)
    reservation = ledger.reserve("first", [MOST_OF_IT])
    ledger.mark(reservation, "running", "sketch")
    begun = 1
    with contextlib.suppress(RuntimeError):
        ledger.mark(reservation, "running", "sketch")
        begun += 1
    assert begun == 1


APPEND_ONLY = [
    "UPDATE events SET mechanism = replace(mechanism, '4.5', '450.0')",
    "UPDATE events SET note = 'x' WHERE id = 2",
    "DELETE FROM events WHERE id = 2",
    "INSERT OR REPLACE INTO events SELECT * FROM events WHERE id = 1",
    "INSERT INTO events SELECT 7, time, study, reservation, state, mechanism, note, details, "
    "config_hash, code_version, libraries, digest, signature FROM events WHERE id = 2",
]


def check_append_only(folder: Path) -> None:
    ledger = make_ledger(folder)
    ledger.reserve("first", [MOST_OF_IT])
    before = ledger.entries()
    for statement in APPEND_ONLY:
        with contextlib.suppress(sqlite3.IntegrityError):
            alter(ledger.path, statement)
            raise AssertionError(f"was allowed: {statement}")
    assert ledger.entries() == before


TAMPERING = [
    "UPDATE events SET mechanism = replace(mechanism, '4.5', '450.0') WHERE id = 2",
    "UPDATE events SET time = '2020-01-01T00:00:00.000000+00:00' WHERE id = 2",
    "UPDATE events SET details = replace(details, '1.0', '9.0') WHERE id = 1",
    "UPDATE events SET signature = replace(signature, '0', '1') WHERE id = 2",
    "UPDATE events SET signature = (SELECT signature FROM events WHERE id = 3) WHERE id = 2",
    "UPDATE events SET state = 'failed' WHERE id = 3",
    "DELETE FROM events WHERE id = 2",
    "DELETE FROM events WHERE id = 1",
    "DELETE FROM events",
    "UPDATE events SET mechanism = 'nonsense' WHERE id = 2",
    "UPDATE events SET details = '3' WHERE id = 1",
]


def check_tampering_is_found(folder: Path, statement: str) -> None:
    ledger = make_ledger(folder)
    ledger.mark(ledger.reserve("first", [MOST_OF_IT]), "running", "sketch")
    drop_triggers(ledger.path)
    alter(ledger.path, statement)
    for use in (Ledger.open, replay_ledger):
        with pytest.raises(ValueError, match="cannot be trusted"):
            use(ledger.path)
    with pytest.raises(ValueError, match="cannot be trusted"):
        ledger.reserve("second", [GaussianEvent(noise_multiplier=50, purpose="sketch")])


def failed_studies_are_refunded(patch: Patch) -> None:
    real = Book._take

    def take_and_give_back(book, entry):
        real(book, entry)
        if entry.state is State.FAILED:
            kept = [e for e in book.entries if e.reservation != entry.reservation]
            book._entries = kept
            events = [e.event for e in kept if e.event is not None]
            book.spending = Spending(book.spending.order, events)

    patch.setattr(Book, "_take", take_and_give_back)


def each_study_gets_the_whole_budget(patch: Patch) -> None:
    real = ledger_rules.check_within_budget
    patch.setattr(
        ledger_rules,
        "check_within_budget",
        lambda spending, new, budget: real(Spending(spending.order), new, budget),
    )


def nothing_is_checked(patch: Patch) -> None:
    patch.setattr(ledger_rules, "check_within_budget", lambda *_: None)


def parts_may_begin_again(patch: Patch) -> None:
    patch.setattr(ledger_module, "check_transition", lambda *_: None)


def no_triggers(patch: Patch) -> None:
    patch.setattr(ledger_file, "_SCHEMA", ledger_file._SCHEMA[:1])


def without_the_insert_trigger(patch: Patch) -> None:
    patch.setattr(ledger_file, "_SCHEMA", ledger_file._SCHEMA[:3])


def no_chain(patch: Patch) -> None:
    patch.setattr("privacy.ledger_entries.compute_digest", lambda *_: NO_DIGEST)


def no_signatures(patch: Patch) -> None:
    patch.setattr("privacy.ledger_book.check_signature", lambda *_: None)


@pytest.mark.parametrize(
    "check", [check_nothing_gives_budget_back, check_each_part_begins_once, check_append_only]
)
def test_the_ledger_keeps_its_rules(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize("statement", TAMPERING)
def test_tampering_is_found(statement: str, tmp_path: Path) -> None:
    check_tampering_is_found(tmp_path, statement)


@pytest.mark.parametrize(
    ("check", "mutate"),
    [
        (check_nothing_gives_budget_back, failed_studies_are_refunded),
        (check_nothing_gives_budget_back, each_study_gets_the_whole_budget),
        (check_nothing_gives_budget_back, nothing_is_checked),
        (check_each_part_begins_once, parts_may_begin_again),
        (check_append_only, no_triggers),
        (check_append_only, without_the_insert_trigger),
    ],
)
def test_a_broken_ledger_is_found(
    check: Callable[[Path], None], mutate: Mutation, tmp_path: Path, monkeypatch: Patch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check(tmp_path)


@pytest.mark.parametrize(("mutate", "case"), [(no_chain, 0), (no_signatures, 3)])
def test_without_chain_and_signatures_tampering_would_go_unseen(
    mutate: Mutation, case: int, tmp_path: Path, monkeypatch: Patch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_tampering_is_found(tmp_path, TAMPERING[case])


def test_a_cut_off_end_changes_the_head(tmp_path: Path) -> None:
    """The chain cannot see a missing end; a published head can."""
    ledger = make_ledger(tmp_path)
    ledger.reserve("first", [MOST_OF_IT])
    published = ledger.head()
    drop_triggers(ledger.path)
    alter(ledger.path, "DELETE FROM events WHERE id = 2")
    assert replay_ledger(ledger.path).head != published
