"""The ledger: reserve first, never give back, begin once, refuse what was altered."""

import dataclasses
import json
import os
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from signed_ledgers import KEY, create_ledger, make_policy, open_ledger

from privacy import (
    Approver,
    Budget,
    BudgetExceeded,
    GaussianEvent,
    Ledger,
    PolicyViolation,
    SampledGaussianEvent,
    State,
    StudyChanged,
    Unit,
    compute_epsilon,
    make_plan,
)
from privacy.ledger_file import transaction

BUDGET = Budget(epsilon=1, delta=1e-5)
SKETCH = GaussianEvent(noise_multiplier=8.0, purpose="sketch")
TRAINING = SampledGaussianEvent(noise_multiplier=8.0, sample_rate=0.1, steps=30, purpose="training")
APPROVERS = (Approver(name="Dr Ö", public_key=KEY.public.hex),)
DETAILS = {"schema": "abc", "rounds": "3"}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return create_ledger(tmp_path / "books" / "ledger.db")


def test_a_new_ledger_has_its_promise_and_nothing_spent(ledger: Ledger) -> None:
    again = Ledger.open(ledger.path)
    assert again.header == ledger.header
    assert (again.header.site, again.header.dataset, again.header.unit) == (
        "north",
        "visits",
        Unit.RECORD,
    )
    assert again.budget == BUDGET
    assert (again.events(), again.epsilon(), again.remaining()) == ((), 0.0, 1.0)


def test_header_survives_with_every_bit(tmp_path: Path) -> None:
    policy = make_policy(0.1 + 0.2, 1 / 3e6, unit="person", approvers=APPROVERS, holdout=1 / 3)
    Ledger.create(tmp_path / "l", site="ö", dataset="d", policy=policy, key=KEY)
    header = Ledger.open(tmp_path / "l").header
    assert (header.policy, header.unit, header.site) == (policy, Unit.PERSON, "ö")
    assert (header.budget.epsilon, header.budget.delta) == (0.1 + 0.2, 1 / 3e6)
    assert header.public_key == KEY.public


def test_reserved_events_are_replayed(ledger: Ledger) -> None:
    ledger.reserve("study", [SKETCH, TRAINING], details=DETAILS)
    again = Ledger.open(ledger.path)
    assert again.events() == (SKETCH, TRAINING)
    assert again.epsilon() == compute_epsilon([SKETCH, TRAINING], 1e-5)
    assert again.epsilon() <= again.epsilon("rdp")
    assert again.remaining() == pytest.approx(1 - again.epsilon())


def test_entries_say_what_when_and_with_which_code(ledger: Ledger) -> None:
    reservation = ledger.reserve("study", [SKETCH, TRAINING], details=DETAILS)
    ledger.mark(reservation, "running", "sketch")
    opened, sketch, training, running = ledger.entries()
    assert [e.id for e in ledger.entries()] == [1, 2, 3, 4]
    assert (opened.state, running.state) == (State.OPENED, State.RUNNING)
    assert (sketch.purpose, training.purpose, running.note) == ("sketch", "training", "sketch")
    assert dict(sketch.details) == DETAILS
    assert sketch.reservation == training.reservation == running.reservation == reservation
    assert {"dp-accounting", "opacus", "torch", "numpy"} <= set(sketch.libraries)
    offset = datetime.fromisoformat(sketch.time).utcoffset()
    assert offset is not None and offset.total_seconds() == 0
    exported = json.loads(json.dumps(ledger.to_dict()))
    assert exported["header"]["site"] == "north"
    assert [entry["purpose"] for entry in exported["entries"]] == ["", "sketch", "training", ""]


def test_a_whole_plan_fits_its_own_budget(ledger: Ledger) -> None:
    plan = make_plan(BUDGET, sample_rate=0.1, steps=60, adversarial_share=0.3)
    ledger.reserve("study", plan.events())
    assert ledger.epsilon() == plan.epsilon
    assert ledger.remaining() < 0.005


def test_too_much_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    ledger.reserve("first", [SKETCH])
    before = ledger.path.read_bytes(), ledger.entries()
    with pytest.raises(BudgetExceeded) as caught:
        ledger.reserve("second", [GaussianEvent(noise_multiplier=3.0, purpose="sketch")])
    assert caught.value.requested > caught.value.remaining > 0
    assert (ledger.path.read_bytes(), ledger.entries()) == before
    with pytest.raises(BudgetExceeded):
        ledger.check([GaussianEvent(noise_multiplier=3.0, purpose="sketch")])
    ledger.check([SKETCH])
    assert ledger.entries() == before[1]


def test_noise_too_small_to_count_is_refused(ledger: Ledger) -> None:
    with pytest.raises(PolicyViolation, match="smallest_noise_multiplier"):
        ledger.reserve("study", [GaussianEvent(noise_multiplier=0.1, purpose="sketch")])
    assert ledger.events() == ()


def test_the_same_study_again_costs_nothing_more(ledger: Ledger) -> None:
    first = ledger.reserve("study", [SKETCH, TRAINING], details=DETAILS)
    entries = ledger.entries()
    reordered = dict(reversed(DETAILS.items()))
    assert ledger.reserve("study", [SKETCH, TRAINING], details=reordered) == first
    assert ledger.entries() == entries


@pytest.mark.parametrize(
    ("events", "details"),
    [
        ([SKETCH], DETAILS),
        ([TRAINING, SKETCH], DETAILS),
        ([SKETCH, dataclasses.replace(TRAINING, steps=31)], DETAILS),
        ([SKETCH, TRAINING], {"schema": "abd", "rounds": "3"}),
        ([SKETCH, TRAINING], {}),
    ],
)
def test_the_same_study_with_another_content_is_refused(
    ledger: Ledger, events: list[GaussianEvent | SampledGaussianEvent], details: dict[str, str]
) -> None:
    ledger.reserve("study", [SKETCH, TRAINING], details=DETAILS)
    with pytest.raises(ValueError, match="use a new study id"):
        ledger.reserve("study", events, details=details)


def test_a_part_begins_once(ledger: Ledger) -> None:
    reservation = ledger.reserve("study", [SKETCH, TRAINING])
    assert ledger.state(reservation) is State.RESERVED
    ledger.mark(reservation, "running", "sketch")
    ledger.mark(reservation, "running", "round-1")
    for part in ("sketch", "round-1"):
        with pytest.raises(RuntimeError, match=f"part '{part}' .* has begun before"):
            ledger.mark(reservation, "running", part)
    assert ledger.reserve("study", [SKETCH, TRAINING]) == reservation
    with pytest.raises(RuntimeError, match="has begun before"):
        open_ledger(ledger.path).mark(reservation, State.RUNNING, "sketch")
    ledger.mark(reservation, "done")
    assert ledger.state(reservation) is State.DONE


@pytest.mark.parametrize("end", ["done", "failed"])
def test_what_has_ended_stays_ended(ledger: Ledger, end: str) -> None:
    reservation = ledger.reserve("study", [SKETCH])
    ledger.mark(reservation, "running")
    ledger.mark(reservation, end, "server-gone")
    for state in ("running", "done", "failed"):
        with pytest.raises(RuntimeError, match="cannot be used again"):
            ledger.mark(reservation, state, "other")


def test_done_needs_to_have_run(ledger: Ledger) -> None:
    reservation = ledger.reserve("study", [SKETCH])
    with pytest.raises(RuntimeError, match="never ran"):
        ledger.mark(reservation, "done")
    ledger.mark(reservation, "failed", "refused-by-policy")


@pytest.mark.parametrize(
    ("state", "note", "match"),
    [
        ("reserved", "", "state must be"),
        ("opened", "", "state must be"),
        ("paused", "", "paused"),
        ("running", "Row 17: Ann, 1987", "note must be a code"),
        ("running", "two\nlines", "note must be a code"),
        ("running", "x" * 61, "note must be a code"),
    ],
)
def test_mark_refuses(ledger: Ledger, state: str, note: str, match: str) -> None:
    reservation = ledger.reserve("study", [SKETCH])
    with pytest.raises(ValueError, match=match):
        ledger.mark(reservation, state, note)


@pytest.mark.parametrize("reservation", ["", "nonsense"])
def test_an_unknown_reservation_is_refused(ledger: Ledger, reservation: str) -> None:
    with pytest.raises(ValueError, match="reservation must be an id"):
        ledger.mark(reservation, "running")
    with pytest.raises(ValueError, match="reservation must be an id"):
        ledger.state(reservation)


@pytest.mark.parametrize(
    ("study", "events", "details"),
    [
        ("", [SKETCH], {}),
        ("a\nb", [SKETCH], {}),
        ("study", [], {}),
        ("study", [SKETCH], {"": "x"}),
        ("study", [SKETCH], {"key": ""}),
        ("study", [SKETCH], {"key": 3}),
    ],
)
def test_malformed_requests_are_refused(
    ledger: Ledger, study: str, events: list[GaussianEvent], details: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="must"):
        ledger.reserve(study, events, details=details)
    assert ledger.events() == ()


def test_a_ledger_is_made_once(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match=r"must not exist yet.*use Ledger.open"):
        create_ledger(ledger.path)
    assert Ledger.open(ledger.path).header == ledger.header


def test_replace_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="adjacency must be 'add_or_remove_one'"):
        Ledger.create(
            tmp_path / "l",
            site="s",
            dataset="d",
            policy=make_policy(),
            key=KEY,
            adjacency="replace_one",
        )
    assert not (tmp_path / "l").exists()


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a ledger " * 100)
    (tmp_path / "empty").write_text("")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE patients (name TEXT)")
    other.close()
    for name in ("missing", "text", "empty", "other", "."):
        with pytest.raises(ValueError, match="path must be") as caught:
            Ledger.open(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    for name in ("text", "other"):
        with pytest.raises(ValueError, match="must not exist yet"):
            create_ledger(tmp_path / name)
    assert (tmp_path / "text").read_text().startswith("not a ledger")


def test_a_file_left_empty_by_a_crash_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "l").touch()
    create_ledger(tmp_path / "l")
    assert Ledger.open(tmp_path / "l").budget == BUDGET


def test_between_operations_a_ledger_is_one_private_file(ledger: Ledger) -> None:
    ledger.reserve("study", [SKETCH])
    assert os.listdir(ledger.path.parent) == ["ledger.db"]
    if os.name == "posix":
        assert ledger.path.stat().st_mode & 0o077 == 0


def test_commits_reach_the_disk_before_a_call_returns(ledger: Ledger) -> None:
    with transaction(ledger.path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        with pytest.raises(TimeoutError, match="cannot be locked"):
            _try_to_lock(ledger)


def _try_to_lock(ledger: Ledger) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privacy.ledger_file.BUSY_SECONDS", 0.01)
        ledger.reserve("study", [SKETCH])


def test_a_lasting_detail_is_the_same_in_all_studies(ledger: Ledger) -> None:
    ledger.reserve("first", [SKETCH], details={"units": "a"}, lasting=("units",))
    entries = ledger.entries()
    with pytest.raises(StudyChanged, match="'units' must be the same in all studies"):
        ledger.reserve("second", [SKETCH], details={"units": "b"}, lasting=("units",))
    assert ledger.entries() == entries
