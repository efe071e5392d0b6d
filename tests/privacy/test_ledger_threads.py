"""Ten threads that share one ledger object: never more than the budget, never a broken reading."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from signed_ledgers import create_ledger, make_policy, open_ledger

from privacy import BudgetExceeded, Event, GaussianEvent, Ledger, SampledGaussianEvent, State
from privacy import ledger as ledger_module

THREADS = 10


def run_together(work: Callable[[int], int]) -> list[int]:
    barrier = Barrier(THREADS)

    def run(number: int) -> int:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def make_event(number: int, turn: int) -> Event:
    if (number + turn) % 2:
        return GaussianEvent(noise_multiplier=20.0 + number, purpose="sketch")
    return SampledGaussianEvent(
        noise_multiplier=5.0, sample_rate=0.05, steps=10 + turn, purpose="training"
    )


def reserve_in_turn(ledger: Ledger, number: int) -> int:
    taken = 0
    for turn in range(8):
        event = make_event(number, turn)
        try:
            ledger.check([event])
            ledger.mark(ledger.reserve(f"study-{number}-{turn}", [event]), "running", "part")
            taken += 1
        except BudgetExceeded:
            pass
        assert ledger.epsilon("rdp") >= 0
        assert len(ledger.entries()) >= 2 * taken
    return taken


def test_threads_reserving_at_once_never_overspend(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l", make_policy(1.0))
    taken = run_together(lambda number: reserve_in_turn(ledger, number))
    again = open_ledger(ledger.path)
    assert sum(taken) == len(again.events()) > 10
    assert len(again.entries()) == 1 + 2 * sum(taken)
    assert 0.5 < again.epsilon() <= 1
    assert sum(taken) < THREADS * 8


def test_threads_beginning_at_once_begin_once(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l")
    reservation = ledger.reserve("study", [GaussianEvent(noise_multiplier=50, purpose="sketch")])

    def begin(_: int) -> int:
        try:
            ledger.mark(reservation, "running", "sketch")
        except RuntimeError:
            return 0
        return 1

    assert sum(run_together(begin)) == 1
    assert ledger.state(reservation) is State.RUNNING


def test_threads_asking_for_the_same_study_share_one_reservation(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l")
    found = []

    def ask(_: int) -> int:
        event = GaussianEvent(noise_multiplier=50, purpose="sketch")
        found.append(ledger.reserve("study", [event]))
        return 1

    run_together(ask)
    assert len(set(found)) == 1
    assert len(ledger.events()) == 1


def test_nobody_writes_while_a_study_is_being_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an event could be taken in between reading what was spent and deciding."""
    ledger = create_ledger(tmp_path / "l")
    event = GaussianEvent(noise_multiplier=50, purpose="sketch")
    real = ledger_module.check_allowed
    finished = []

    with ThreadPoolExecutor(1) as pool:

        def check_slowly(*arguments) -> None:
            writing = pool.submit(ledger.change_policy, make_policy(0.5))
            time.sleep(0.3)
            finished.append(writing.done())
            real(*arguments)

        monkeypatch.setattr(ledger_module, "check_allowed", check_slowly)
        ledger.check([event])
    assert finished == [False]
    assert ledger.policy == make_policy(0.5)
