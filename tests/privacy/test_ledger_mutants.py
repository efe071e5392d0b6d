"""Checks of the ledger that can fail: applied to the real thing, then to broken versions of it."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from privacy import Budget, BudgetExceeded, GaussianEvent, Ledger, State, ledger_file, replay_ledger
from privacy import ledger as ledger_module
from privacy.ledger_entries import NO_DIGEST

BUDGET = Budget(epsilon=1, delta=1e-5)
MOST_OF_IT = GaussianEvent(noise_multiplier=4.5, purpose="sketch")
Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def make_ledger(folder: Path) -> Ledger:
    return Ledger.create(folder / "ledger.db", site="north", dataset="visits", budget=BUDGET)


def alter(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def drop_triggers(path: Path) -> None:
    for trigger in ("no_update", "no_delete", "only_append"):
        alter(path, f"DROP TRIGGER {trigger}")


def check_nothing_gives_budget_back(folder: Path) -> None:
    ledger = make_ledger(folder)
    reservation = ledger.reserve("first", [MOST_OF_IT])
    ledger.mark(reservation, "failed", "crashed")
    assert ledger.epsilon() > 0.8
    with contextlib.suppress(BudgetExceeded):
        Ledger.open(ledger.path).reserve("second", [MOST_OF_IT])
    assert ledger.epsilon() <= BUDGET.epsilon
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
    "config_hash, code_version, libraries, digest FROM events WHERE id = 2",
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
    "UPDATE events SET details = replace(details, '1.0', '100.0') WHERE id = 1",
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
    real = ledger_module._events

    def only_successes(entries):
        failed = {entry.reservation for entry in entries if entry.state is State.FAILED}
        return real([entry for entry in entries if entry.reservation not in failed])

    patch.setattr(ledger_module, "_events", only_successes)


def each_study_gets_the_whole_budget(patch: Patch) -> None:
    real = ledger_module.check_within_budget
    patch.setattr(
        ledger_module, "check_within_budget", lambda _, new, budget: real((), new, budget)
    )


def nothing_is_checked(patch: Patch) -> None:
    patch.setattr(ledger_module, "check_within_budget", lambda *_: None)


def parts_may_begin_again(patch: Patch) -> None:
    patch.setattr(ledger_module, "_check_transition", lambda *_: None)


def no_triggers(patch: Patch) -> None:
    patch.setattr(ledger_file, "_SCHEMA", ledger_file._SCHEMA[:1])


def without_the_insert_trigger(patch: Patch) -> None:
    patch.setattr(ledger_file, "_SCHEMA", ledger_file._SCHEMA[:3])


def no_chain(patch: Patch) -> None:
    for module in ("privacy.ledger_entries", "privacy.ledger_file"):
        patch.setattr(f"{module}.compute_digest", lambda *_: NO_DIGEST)


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


def test_without_the_chain_tampering_would_go_unseen(tmp_path: Path, monkeypatch: Patch) -> None:
    no_chain(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check_tampering_is_found(tmp_path, TAMPERING[0])


def test_a_cut_off_end_changes_the_head(tmp_path: Path) -> None:
    """The chain cannot see a missing end; a published head can."""
    ledger = make_ledger(tmp_path)
    ledger.reserve("first", [MOST_OF_IT])
    published = ledger.head()
    drop_triggers(ledger.path)
    alter(ledger.path, "DELETE FROM events WHERE id = 2")
    assert replay_ledger(ledger.path).head != published
