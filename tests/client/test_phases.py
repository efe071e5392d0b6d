"""A phase of a study at a site: made once, kept before it is sent, and never drawn again after."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import (
    ask_close,
    ask_evaluate,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    numbers_of,
    settings_of,
    to_record,
    train_records,
)
from flwr.app import Message
from tiny_sites import make_request, write_site

from client import answering, reserving
from client.site import Site
from privacy import Receipt, State
from strategies import protocol
from strategies.protocol import ARRAYS, RECEIPT
from synthesis.kinds import tables

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


def play(home: Path) -> dict[str, bytes]:
    return {phase: numbers_of(ask(home)) for phase, ask in ALL.items()}


def test_the_same_question_has_the_same_answer_for_free_even_after_the_end(
    site: Site, home: Path
) -> None:
    first, spent = play(home), site.ledger.epsilon()
    assert site.ledger.entries()[-1].state is State.DONE
    head = site.ledger.head()
    (site.folder / "rows.parquet").unlink()
    for phase, ask in reversed(ALL.items()):  # in any order
        reply = ask(home, held_receipt=site.give_receipt().to_text())
        assert numbers_of(reply) == first[phase]
        assert Receipt.from_text(settings_of(reply)[RECEIPT]).head == head
    assert (site.ledger.head(), site.ledger.epsilon()) == (head, spent)
    assert site.ledger.events() == make_request(evaluation=True).make_plan().events()


@pytest.mark.parametrize("phase", ALL)
def test_another_question_for_a_kept_phase_is_refused(site: Site, home: Path, phase: str) -> None:
    first = play(home)
    head = site.ledger.head()
    assert code_of(ALL[phase](home, generator_steps=5)) == "already-released"
    assert numbers_of(ALL[phase](home)) == first[phase]
    assert site.ledger.head() == head


@pytest.mark.parametrize("phase", ALL)
def test_an_answer_is_kept_and_noted_before_it_leaves(
    site: Site, home: Path, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, list[str]]] = []
    give = Site.give_receipt

    def watched(self: Site) -> Receipt:  # the last thing before an answer leaves
        kept = list((self.folder / "state").rglob(f"answer-{phase}.safetensors"))
        seen.append((bool(kept), notes_of(self)))
        return give(self)

    monkeypatch.setattr(Site, "give_receipt", watched)
    ALL[phase](home)
    ((is_kept, notes),) = seen
    assert is_kept and notes == [phase, f"{phase}-kept"]


def test_a_question_that_is_refused_spoils_nothing(site: Site, home: Path) -> None:
    bad = train_records((3, 2))
    assert code_of(ask_train(home, bad)) == "malformed"
    assert code_of(ask_sketch(home, epsilon=5.0)) == "budget-exceeded"
    assert not ask_sketch(home).has_error()
    assert code_of(ask_train(home, bad)) == "malformed"
    assert code_of(ask_train(home, epsilon=0.9)) == "study-changed"
    assert not ask_train(home).has_error()
    assert notes_of(site) == ["sketch", "sketch-kept", "round-1", "round-1-kept"]


def test_a_round_that_begins_again_may_have_another_question(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the lost attempt left, so a coordinator that went back is served as well."""
    with monkeypatch.context() as patch:
        patch.setattr(answering, "keep_phase", raising(Killed()))  # kept, and never sent
        with pytest.raises(Killed):
            ask_train(home)
    doubled = {name: 2 * array.numpy() for name, array in train_records()[ARRAYS].items()}
    another = train_records() | {ARRAYS: to_record(doubled)}
    first = numbers_of(ask_train(home, another))
    assert numbers_of(ask_train(home, another)) == first
    assert code_of(ask_train(home)) == "already-released"


def test_a_round_cannot_begin_again_after_a_later_one(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tables, "improve_generator", raising(Killed()))
        with pytest.raises(Killed):
            ask_train(home)
    assert not ask_train(home, server_round=2).has_error()
    assert code_of(ask_train(home)) == "already-released"
    assert notes_of(site) == ["round-1", "round-2", "round-2-kept"]


def test_an_evaluation_follows_the_rounds(site: Site, home: Path) -> None:
    """That later rounds close earlier ones says nothing of what comes behind all rounds."""
    play(home)
    assert notes_of(site)[-2:] == ["evaluation", "evaluation-kept"]


def test_a_study_begun_before_answers_were_kept_never_goes_on(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older site sent its answers without a note, so whatever it began may have left."""
    details = reserving._details
    with monkeypatch.context() as patch:
        patch.setattr(
            reserving,
            "_details",
            lambda *asked: {k: v for k, v in details(*asked).items() if k != "answers"},
        )
        _, reservation = reserving.reserve_study(site, make_request())
    site.ledger.mark(reservation, State.RUNNING, "sketch")
    for ask in (ask_sketch, ask_train):
        assert code_of(ask(home)) == "study-changed"
    assert not ask_close(home, protocol.GIVEN_UP).has_error()
    assert site.ledger.entries()[-1].state is State.FAILED


def _ask_in_a_process(home: str, gate: Any, results: Any) -> None:
    be_inside_a_run()
    gate.wait()
    results.put(numbers_of(ask_sketch(Path(home))))


def test_processes_asked_the_same_at_once_draw_once_and_say_the_same(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site-1", seed=0)
    make_request().make_plan()
    fork = multiprocessing.get_context("fork")
    gate, results = fork.Barrier(3), fork.Queue()
    children = [
        fork.Process(target=_ask_in_a_process, args=(str(tmp_path), gate, results))
        for _ in range(3)
    ]
    for child in children:
        child.start()
    answers = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert len(set(answers)) == 1
    assert notes_of(site) == ["sketch", "sketch-kept"]


def test_threads_asked_different_things_at_once_have_one_answer(site: Site, home: Path) -> None:
    replies: list[Message] = []
    threads = [
        threading.Thread(target=lambda n=n: replies.append(ask_sketch(home, generator_steps=n)))
        for n in (2, 3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(code_of(reply) if reply.has_error() else "" for reply in replies)
    assert codes == ["", "already-released", "already-released"]
    assert notes_of(site) == ["sketch", "sketch-kept"]
