"""What goes wrong for reasons that have nothing to do with the noise may be tried again.

Anything else spoils the phase for good. Nothing is ever given back.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import (
    ask_evaluate,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    numbers_of,
)
from flwr.app import Message
from tiny_sites import make_request, write_site

from client import answering, sketching
from client.kept import KeptAnswers
from client.phases import MOST_ATTEMPTS
from client.site import Site
from privacy import Ledger, State

ALL: dict[str, Callable[..., Message]] = {
    "sketch": lambda home, **more: ask_sketch(home, evaluation=True, **more),
    "round-1": lambda home, **more: ask_train(home, evaluation=True, **more),
    "round-2": lambda home, **more: ask_train(home, evaluation=True, server_round=2, **more),
    "evaluation": ask_evaluate,
}


class Killed(BaseException):
    """A stand-in for a kill: nothing of ours catches it."""


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", seed=0, holdout=0.3)


@pytest.fixture
def home(site: Site) -> Path:
    return site.folder.parent


def notes_of(site: Site) -> list[str]:
    return [entry.note for entry in site.ledger.entries() if entry.state is State.RUNNING]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_an_answer_that_must_not_leave_is_neither_kept_nor_drawn_again(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(answering, "check_outgoing", raising(ValueError("not listed")))
        assert code_of(ask_sketch(home)) == "local-failure"
    assert not list((site.folder / "state").rglob("answer-*"))
    assert code_of(ask_sketch(home)) == "already-released"
    assert notes_of(site) == ["sketch", "sketch-spoiled"]


# Where something goes wrong: what it is done to, and the notes it leaves.
PLACES: list[tuple[Any, str, list[str]]] = [
    (Ledger, "reserve", []),
    (Site, "read_units", ["sketch"]),
    (sketching, "gaussian_mechanism", ["sketch"]),
    (KeptAnswers, "keep", ["sketch"]),
    (answering, "keep_phase", ["sketch"]),
    (Site, "give_receipt", ["sketch", "sketch-kept"]),
]


@pytest.mark.parametrize(("owner", "name", "notes"), PLACES)
@pytest.mark.parametrize("error", [full(), sqlite3.OperationalError("database or disk is full")])
def test_a_full_disk_spoils_nothing_and_costs_nothing(
    site: Site,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    notes: list[str],
    error: Exception,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, raising(error))
        assert code_of(ask_sketch(home)) == "local-failure"
    assert notes_of(site) == notes
    first = numbers_of(ask_sketch(home))
    assert numbers_of(ask_sketch(home)) == first
    again = [] if name in ("reserve", "keep_phase", "give_receipt") else ["sketch-again-1"]
    assert notes_of(site) == ["sketch", *again, "sketch-kept"]
    assert site.ledger.events() == make_request().make_plan().events()


@pytest.mark.parametrize("error", [full(), Killed()])
def test_no_room_for_the_file_itself(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """As above, at the last step of writing it: a half of it is never found."""
    replace = os.replace

    def fail(draft: Path, path: Path) -> None:
        if path.name.startswith("answer-"):
            raise error
        replace(draft, path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        if isinstance(error, Killed):
            with pytest.raises(Killed):
                ask_sketch(home)
        else:
            assert code_of(ask_sketch(home)) == "local-failure"
    first = numbers_of(ask_sketch(home))
    assert numbers_of(ask_sketch(home)) == first
    assert notes_of(site) == ["sketch", "sketch-again-1", "sketch-kept"]


@pytest.mark.parametrize("phase", ALL)
def test_a_phase_begins_three_times_at_most(
    site: Site, home: Path, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Site, "read_units", raising(Killed()))
        for _ in range(MOST_ATTEMPTS):
            with pytest.raises(Killed):
                ALL[phase](home)
    spent = site.ledger.epsilon()
    for _ in range(2):
        assert code_of(ALL[phase](home)) == "already-released"
    assert notes_of(site) == [phase, f"{phase}-again-1", f"{phase}-again-2"]
    assert site.ledger.epsilon() == spent > 0.99


def test_the_third_attempt_is_as_good_as_the_first(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(KeptAnswers, "keep", raising(Killed()))
        for _ in range(MOST_ATTEMPTS - 1):
            with pytest.raises(Killed):
                ask_sketch(home)
    first = numbers_of(ask_sketch(home))
    assert numbers_of(ask_sketch(home)) == first
    assert notes_of(site) == ["sketch", "sketch-again-1", "sketch-again-2", "sketch-kept"]


@pytest.mark.parametrize(
    "error", [ValueError(), ZeroDivisionError(), MemoryError(), AssertionError(), RuntimeError()]
)
@pytest.mark.parametrize("where", [(Site, "read_units"), (sketching, "gaussian_mechanism")])
def test_any_other_failure_spoils_the_phase_for_good(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str], error: Any
) -> None:
    """Whether it fails could depend on the noise; to try again would be to choose among draws."""
    with monkeypatch.context() as patch:
        patch.setattr(*where, raising(error))
        assert code_of(ask_sketch(home)) == "local-failure"
    for _ in range(2):
        assert code_of(ask_sketch(home)) == "already-released"
    assert notes_of(site) == ["sketch", "sketch-spoiled"]
    assert site.ledger.epsilon() > 0.99
