"""A site that breaks the rule on purpose; the crash test must see what comes of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from flwr.app import Message, RecordDict

from client import answering, evaluating, phases, sketching, training
from client.kept import KeptAnswers
from client.state import StudyState
from privacy import Ledger

Later = list[Callable[[], object]]
MUTANTS = {
    "written-late": "under-counted",
    "running-dropped": "seen without having begun",
    "not-looked-up": "was not answered",
    "not-kept-at-all": "released twice",
    "sent-before-kept": "released twice",
    "steps-taken-twice": "steps taken twice",
    "interruption-refused": "was not answered",
}
"""What is broken, and what the crash test says of it."""


def put_mutant(name: str, later: Later) -> None:
    """Break this process; what it puts off stands in ``later`` until a reply has left."""
    {
        "written-late": lambda: _write_late(later),
        "running-dropped": _drop_running,
        "not-looked-up": _look_up_nothing,
        "not-kept-at-all": _keep_nothing,
        "sent-before-kept": lambda: _keep_late(later),
        "steps-taken-twice": _restore_the_same_round,
        "interruption-refused": _refuse_interruptions,
    }[name]()


def _put(owner: Any, name: str, value: object) -> None:
    setattr(owner, name, value)


def _write_late(later: Later) -> None:
    """What belongs into the ledger is written when the reply has left."""
    reserve, begin, keep = Ledger.reserve, phases.begin_phase, phases.keep_phase

    def reserve_later(self: Ledger, study: str, *arguments: Any, **settings: Any) -> str:
        later.append(lambda: reserve(self, study, *arguments, **settings))
        return study

    def begin_later(site: Any, study: str, phase: str) -> None:
        later.append(lambda: begin(site, phases.find_reservation(site, study), phase))

    _put(Ledger, "reserve", reserve_later)
    for module in (sketching, training, evaluating):
        _put(module, "begin_phase", begin_later)
    _put(answering, "keep_phase", lambda *asked: later.append(lambda: keep(*asked)))


def _drop_running() -> None:
    """That a phase begins or is kept is never written."""
    mark = Ledger.mark

    def mark_the_end_only(self: Ledger, reservation: str, state: str, note: str = "") -> None:
        if state != "running":
            with contextlib.suppress(RuntimeError):  # as it never ran
                mark(self, reservation, state, note)

    _put(Ledger, "mark", mark_the_end_only)


def _look_up_nothing() -> None:
    """The answer that is kept is never found again."""

    def find_nothing(self: KeptAnswers, phase: str, message: Message) -> RecordDict | None:
        return None

    _put(KeptAnswers, "find", find_nothing)


def _keep_nothing() -> None:
    """Answers are neither kept nor noted, and begin again instead."""
    _look_up_nothing()
    _put(answering, "keep_phase", lambda *asked: None)


def _keep_late(later: Later) -> None:
    """An answer is kept, and noted, when it has left."""
    keep_file, keep = KeptAnswers.keep, phases.keep_phase
    _put(KeptAnswers, "keep", lambda *asked: later.append(lambda: keep_file(*asked)))
    _put(answering, "keep_phase", lambda *asked: later.append(lambda: keep(*asked)))


def _restore_the_same_round() -> None:
    """A round that begins again goes on from what its lost attempt left."""
    restore = StudyState.restore_training

    def restore_from_later(self: StudyState, server_round: int, *more: Any) -> bool:
        return restore(self, server_round + 1, *more)

    _put(StudyState, "restore_training", restore_from_later)


def _refuse_interruptions() -> None:
    """A phase that was interrupted never begins again."""
    _put(phases, "MOST_ATTEMPTS", 1)
