"""The site's side of the crash test: answer questions from a pipe, and die at a named point.

Everything is the real ClientApp over a real folder with the operating system's entropy; only the
network is a pipe. A reply travels as one frame, its numbers before its receipt, and whoever sees a
byte of it has seen the reply.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asking import (
    ArrayRecord,
    hello_config,
    make_message,
    numbers_of,
    score_weights,
    settings_of,
    to_record,
    train_records,
)
from crash_mutants import put_mutant
from flwr.app import Context, Message, RecordDict
from tiny_sites import make_config

from client import answering, evaluating, sketching
from client.app import SITE_DIR, app
from client.kept import KeptAnswers
from client.site import Site
from client.state import StudyState
from privacy import Ledger, PrivateTrainer, ledger_store
from strategies import protocol
from strategies.protocol import ARRAYS
from synthesis.kinds import tables

PHASES = ("hello", "sketch", "round-1", "round-2", "evaluation")
HEAD = 16
"""Bytes that name the phase of a frame; the lengths of its numbers and of its end follow."""
LENGTH = 10
NO = "no "
"""In front of the phase, where the frame is a refusal."""
SETTINGS = {"evaluation": True}


@functools.cache
def records_of(phase: str) -> dict[str, ArrayRecord]:
    """The arrays that come with a question, made once."""
    if phase.startswith("round"):
        return train_records()
    return {ARRAYS: to_record(score_weights())} if phase == "evaluation" else {}


def question(phase: str, held: str | None) -> Message:
    kind = {
        "hello": protocol.QUERY_HELLO,
        "sketch": protocol.QUERY_SKETCH,
        "evaluation": protocol.QUERY_EVALUATE,
    }.get(phase, protocol.TRAIN)
    config: dict[str, Any] = make_config(**SETTINGS)
    if phase == "hello":
        config = hello_config(**SETTINGS)
    if phase.startswith("round"):
        config |= {protocol.SERVER_ROUND: int(phase[-1]), protocol.POOLED_NOISE_STD: 3.0}
    if held is not None:
        config[protocol.HELD_RECEIPT] = held
    return make_message(kind, config, **records_of(phase))


def to_frame(phase: str, reply: Message) -> bytes:
    """The reply with all its bytes: its phase, two lengths, its numbers, a line of JSON."""
    if reply.has_error():
        return _frame(NO + phase, b"", {"code": reply.error.reason})
    end = {"code": None, "receipt": settings_of(reply)[protocol.RECEIPT]}
    return _frame(phase, numbers_of(reply), end)


def _frame(name: str, numbers: bytes, end: dict[str, Any]) -> bytes:
    line = json.dumps(end).encode()
    head = f"{name:{HEAD}}{len(numbers):{LENGTH}d}{len(line):{LENGTH}d}"
    return head.encode() + numbers + line


@dataclass(kw_only=True)
class Seen:
    """What one coordinator has seen of one site: every answer, and what it got of one cut off."""

    touched: dict[str, set[bytes]] = field(default_factory=dict)
    cut_off: dict[str, bytes] = field(default_factory=dict)
    codes: dict[str, list[str | None]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    rest: bytes = b""
    seconds: list[float] = field(default_factory=list)  # from each question to its answer

    def take(self, data: bytes) -> None:
        """Take bytes from the pipe."""
        self.rest += data
        start = HEAD + 2 * LENGTH
        while len(self.rest) >= start:
            phase = self.rest[:HEAD].decode().strip()
            middle = start + int(self.rest[HEAD : HEAD + LENGTH])
            end = middle + int(self.rest[HEAD + LENGTH : start])
            if len(self.rest) < end:
                return
            self._take_frame(phase, self.rest[start:middle], json.loads(self.rest[middle:end]))
            self.rest = self.rest[end:]

    def lose(self) -> None:
        """The site died: what came of an answer that was cut off counts as seen."""
        phase, start = self.rest[:HEAD].decode().strip(), HEAD + 2 * LENGTH
        if phase in PHASES and len(self.rest) > start:
            length = int(self.rest[HEAD : HEAD + LENGTH])
            self.cut_off[phase] = self.rest[start : start + length]
        self.rest = b""

    def _take_frame(self, phase: str, numbers: bytes, end: dict[str, Any]) -> None:
        if phase == "passed":
            self.passed = end
            return
        self.codes.setdefault(phase.removeprefix(NO), []).append(end["code"])
        if end["code"] is None:
            self.receipts.append(end["receipt"])
            self.touched.setdefault(phase, set()).add(numbers)

    def released(self) -> set[str]:
        """Phases of which anything was seen that records had a part in."""
        return (set(self.touched) | set(self.cut_off)) - {"hello"}

    def find_second_answers(self) -> list[str]:
        """Phases that had more than one answer; one that was cut off must be the start of it."""
        return [
            f"{phase} was released twice"
            for phase in sorted(self.released())
            if len(answers := self.touched.get(phase, set())) > 1
            or any(not numbers.startswith(self.cut_off.get(phase, b"")) for numbers in answers)
        ]


@dataclass(kw_only=True)
class Fate:
    """When to die: at the ``count``-th time a point is passed; and what is counted on the way."""

    point: str = ""
    count: int = 0
    passed: Counter[str] = field(default_factory=Counter)

    def pass_by(self, point: str) -> None:
        self.passed[point] += 1
        if point == self.point and self.passed[point] == self.count:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: Any, name: str, *, before: str = "", after: str = "") -> None:
        """Put a point before and after a function."""
        real = getattr(owner, name)

        @functools.wraps(real)
        def watched(*arguments: Any, **settings: Any) -> Any:
            if before:
                self.pass_by(before)
            result = real(*arguments, **settings)
            if after:
                self.pass_by(after)
            return result

        setattr(owner, name, watched)

    def watch_all(self) -> None:
        self.watch(Ledger, "reserve", before="before-reserve", after="after-reserve")
        self.watch(Ledger, "mark", before="before-mark", after="after-mark")
        self.watch(ledger_store, "append", after="before-commit")
        self.watch(Site, "read_units", before="before-reading", after="after-reading")
        self.watch(sketching, "gaussian_mechanism", after="after-noise")
        self.watch(evaluating, "gaussian_mechanism", after="after-noise")
        self.watch(PrivateTrainer, "train", before="before-steps", after="after-steps")
        self.watch(StudyState, "save_training", before="before-saving", after="after-saving")
        self.watch(tables, "improve_generator", after="after-generator")
        self.watch(KeptAnswers, "keep", before="before-keeping", after="after-keeping")
        self.watch(answering, "keep_phase", after="after-noting")
        self.watch(os, "replace", before="before-replacing", after="after-replacing")


def serve(folder: Path, questions: int, answers: int, fate: Fate, mutant: str) -> None:
    """Answer every question that comes; return when there are no more."""
    later: list[Callable[[], object]] = []
    if mutant:
        put_mutant(mutant, later)
    fate.watch_all()
    context = Context(1, 101, {SITE_DIR: str(folder)}, RecordDict(), {})
    with os.fdopen(questions, encoding="utf-8") as lines, os.fdopen(answers, "wb", 0) as out:
        for line in lines:
            asked = json.loads(line)
            frame = to_frame(asked["phase"], app(question(asked["phase"], asked["held"]), context))
            fate.pass_by("before-sending")
            out.write(frame[: len(frame) // 2])
            fate.pass_by("half-sent")
            out.write(frame[len(frame) // 2 :])
            fate.pass_by("after-sending")
            for write in later:
                with contextlib.suppress(RuntimeError, ValueError):  # the second time
                    write()
            later.clear()
        out.write(to_passed(fate))


def to_passed(fate: Fate) -> bytes:
    """How often every point was passed, as a last frame."""
    return _frame("passed", b"", fate.passed)
