"""Replaying a ledger file gives what the live ledger said, and changes nothing."""

import json
from pathlib import Path

import pytest
from signed_ledgers import create_ledger, make_policy

from privacy import Budget, GaussianEvent, Ledger, State, compute_epsilon, make_plan, replay_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return create_ledger(tmp_path / "ledger.db", make_policy(2))


def test_an_unused_ledger(ledger: Ledger) -> None:
    summary = replay_ledger(ledger.path)
    assert summary.reservations == ()
    assert (summary.epsilon_pld, summary.epsilon_rdp, summary.epsilon_prv) == (0, 0, 0)
    assert (summary.remaining, summary.entries, summary.head) == (2, 1, ledger.head())


def test_replay_equals_live(ledger: Ledger) -> None:
    half = Budget(epsilon=1, delta=1e-5)
    plan = make_plan(half, sample_rate=0.1, steps=60, adversarial_share=0.3)
    first = ledger.reserve("first", plan.events())
    ledger.mark(first, "running", "sketch")
    ledger.mark(first, "running", "round-1")
    ledger.mark(first, "failed", "too-few-replies")
    ledger.reserve("second", [GaussianEvent(noise_multiplier=9, purpose="evaluation")])
    before = ledger.path.read_bytes()

    summary = replay_ledger(str(ledger.path))

    assert ledger.path.read_bytes() == before
    assert summary.header == ledger.header
    assert summary.head == ledger.head() == ledger.entries()[-1].digest
    assert summary.epsilon_pld == ledger.epsilon() <= summary.epsilon_rdp
    assert summary.epsilon_prv == pytest.approx(summary.epsilon_pld, abs=0.03)
    assert summary.remaining == ledger.remaining()
    assert summary.is_within_budget
    failed, reserved = summary.reservations
    assert (failed.study, failed.state, failed.note) == ("first", State.FAILED, "too-few-replies")
    assert failed.parts == ("sketch", "round-1")
    assert failed.epsilon == plan.epsilon
    assert [each.event for each in failed.events] == list(plan.events())
    assert [each.epsilon for each in failed.events] == [
        plan.epsilon_of("sketch"),
        plan.epsilon_of("training"),
    ]
    assert (reserved.state, reserved.parts, reserved.note) == (State.RESERVED, (), "")
    alone = GaussianEvent(noise_multiplier=9, purpose="evaluation")
    assert reserved.epsilon == compute_epsilon([alone], 1e-5)
    assert failed.epsilon + reserved.epsilon > summary.epsilon_pld


def test_the_summary_is_json(ledger: Ledger) -> None:
    ledger.reserve("study", [GaussianEvent(noise_multiplier=9, purpose="sketch")])
    found = json.loads(json.dumps(replay_ledger(ledger.path).to_dict()))
    assert found["budget"] == {"epsilon": 2, "delta": 1e-5}
    assert found["reservations"][0]["events"][0]["mechanism"] == "gaussian"
    assert set(found["epsilon"]) == {"pld", "rdp", "prv"}


def test_a_huge_epsilon_is_replayed_without_the_slow_third_opinion(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l", make_policy(1000))
    noisy = GaussianEvent(noise_multiplier=0.3, purpose="sketch")
    ledger.reserve("study", [noisy] * 10)
    summary = replay_ledger(ledger.path)
    assert 50 < summary.epsilon_pld <= summary.epsilon_rdp
    assert summary.epsilon_prv is None


def test_a_long_ledger_is_replayed_without_the_slow_third_opinion(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l", make_policy(2))
    events = [GaussianEvent(noise_multiplier=100 + i, purpose="sketch") for i in range(51)]
    ledger.reserve("first", events[:50])
    assert replay_ledger(ledger.path).epsilon_prv is not None
    ledger.reserve("second", events[50:])
    assert replay_ledger(ledger.path).epsilon_prv is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must be an existing ledger.*nowhere"):
        replay_ledger(tmp_path / "nowhere")
