"""A site whose data are out of reach for a moment waits for them, for so long and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import ask_sketch, be_inside_a_run, code_of
from tiny_sites import write_site

import client.patience
import client.reading
from client.patience import patience_of, read_patiently
from privacy import State
from synthesis import InputError, SourceUnavailable


class Clock:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


class Source:
    """Data that are out of reach until a moment; an attempt takes a second."""

    def __init__(self, clock: Clock, back_at: float) -> None:
        self.clock, self.back_at, self.tries = clock, back_at, list[float]()

    def __call__(self) -> str:
        self.tries.append(self.clock.now)
        self.clock.now += 1.0
        if self.clock.now < self.back_at:
            raise SourceUnavailable("the database cannot be reached")
        return "all units"


def test_a_source_that_comes_back_in_time_is_read() -> None:
    clock = Clock()
    source = Source(clock, back_at=130.0)
    assert read_patiently(source, 60.0, pause=clock.pause, clock=clock) == "all units"
    assert source.tries == [100.0, 101.5, 103.5, 106.5, 111.5, 120.5, 129.5]


@pytest.mark.parametrize(("patience", "most"), [(0.0, 1), (1.0, 1), (60.0, 10)])
def test_no_attempt_begins_after_the_time_is_over(patience: float, most: int) -> None:
    clock = Clock()
    source = Source(clock, back_at=1e9)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        read_patiently(source, patience, pause=clock.pause, clock=clock)
    assert len(source.tries) <= most
    assert source.tries[-1] <= 100.0 + patience


def test_what_must_be_mended_is_not_tried_again() -> None:
    def read() -> None:
        raise InputError("the login is refused", argument="user")

    with pytest.raises(InputError):
        read_patiently(read, 60.0, pause=pytest.fail, clock=Clock())


def test_a_site_waits_no_longer_than_half_of_what_the_question_has() -> None:
    assert [patience_of(seconds) for seconds in (-1, 0, 30, 120, 3600)] == [0, 0, 15, 60, 60]


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let as many attempts fail as the list has entries; each may break off in the middle."""
    monkeypatch.setattr(client.patience, "_PAUSES_S", (0.001,))
    left: list[str] = []
    whole = client.reading.read_parts

    def read_parts(*args: Any) -> Iterator[Any]:
        parts = whole(*args)
        if left and left.pop() == "middle":
            yield next(parts)
            raise SourceUnavailable("the database broke off")
        yield from parts

    monkeypatch.setattr(client.reading, "read_parts", read_parts)
    be_inside_a_run()
    yield left


def test_a_database_that_breaks_off_costs_neither_attempt_nor_phase(
    tmp_path: Path, outage: list[str]
) -> None:
    site = write_site(tmp_path / "site-1", seed=0)
    outage += ["middle"] * 5
    assert not ask_sketch(tmp_path).has_error()
    notes = [entry.note for entry in site.ledger.entries() if entry.state is State.RUNNING]
    assert notes == ["sketch", "sketch-kept"]


def test_a_database_that_stays_away_leaves_the_phase_open(
    tmp_path: Path, outage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(tmp_path / "site-1", seed=0)
    monkeypatch.setattr(client.patience, "LONGEST_WAIT_S", 0.0)
    outage += ["middle"]
    assert code_of(ask_sketch(tmp_path)) == "local-failure"
    assert not ask_sketch(tmp_path).has_error()
