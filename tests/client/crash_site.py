"""The site's side of the crash test: answer questions from a pipe, and die at a named point.

Everything is the real ClientApp over a real folder with the operating system's entropy; only the
network is a pipe. A reply travels as one frame, and whoever sees a byte of it has seen the reply.
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
    score_weights,
    settings_of,
    to_record,
    train_records,
)
from flwr.app import Context, Message, RecordDict
from tiny_sites import make_config

from client import evaluating, sketching, training
from client.app import SITE_DIR, app
from client.site import Site
from client.state import StudyState
from privacy import Ledger, PrivateTrainer, ledger_store
from strategies import protocol
from strategies.protocol import ARRAYS

PHASES = ("hello", "sketch", "round-1", "round-2", "evaluation")
HEAD = 16
"""Bytes that name the phase of a frame; the length of the rest follows in ten more."""
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
    """The reply with all its bytes: the phase, a length, a line of JSON, the arrays."""
    name = phase
    if reply.has_error():
        head: dict[str, Any] = {"code": reply.error.reason}
        name, arrays = NO + phase, b""
    else:
        head = {"code": None, "receipt": settings_of(reply)[protocol.RECEIPT]}
        records = reply.content.array_records.values()
        arrays = b"".join(array.data for record in records for array in record.values())
    body = json.dumps(head).encode() + b"\n" + arrays
    return name.ljust(HEAD).encode() + f"{len(body):10d}".encode() + body


@dataclass(kw_only=True)
class Seen:
    """What one coordinator has seen of one site: whole replies, and the phases of any byte."""

    touched: set[str] = field(default_factory=set)
    codes: dict[str, list[str | None]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    rest: bytes = b""
    seconds: float = 0.0

    def take(self, data: bytes) -> None:
        """Take bytes from the pipe; an answer that was cut off counts as a release."""
        self.rest += data
        while len(self.rest) >= HEAD + 10:
            phase = self.rest[:HEAD].decode().strip()
            length, body = int(self.rest[HEAD : HEAD + 10]), self.rest[HEAD + 10 :]
            if phase in PHASES:
                self.touched.add(phase)
            if len(body) < length:
                return
            self._take_frame(phase, json.loads(body[:length].split(b"\n", 1)[0]))
            self.rest = body[length:]

    def _take_frame(self, phase: str, head: dict[str, Any]) -> None:
        if phase == "passed":
            self.passed = head
            return
        self.codes.setdefault(phase.removeprefix(NO), []).append(head["code"])
        if head["code"] is None:
            self.receipts.append(head["receipt"])


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
        self.watch(training, "improve_generator", after="after-generator")


def write_late(later: list[Callable[[], object]]) -> None:
    """Mutant: what belongs into the ledger is written when the reply has left."""
    reserve, mark = Ledger.reserve, Ledger.mark

    def reserve_later(self: Ledger, study: str, *arguments: Any, **settings: Any) -> str:
        later.append(lambda: reserve(self, study, *arguments, **settings))
        return study

    def mark_later(self: Ledger, study: str, state: str, note: str = "") -> None:
        def write() -> None:
            known = [e.reservation for e in self.entries() if e.study == study]
            mark(self, known[0], state, note)

        later.append(write)

    Ledger.reserve = reserve_later  # type: ignore[method-assign, assignment]
    Ledger.mark = mark_later  # type: ignore[method-assign, assignment]


def drop_running() -> None:
    """Mutant: that a part begins is never written."""
    mark = Ledger.mark

    def mark_the_end_only(self: Ledger, reservation: str, state: str, note: str = "") -> None:
        if state != "running":
            with contextlib.suppress(RuntimeError):  # as it never ran
                mark(self, reservation, state, note)

    Ledger.mark = mark_the_end_only  # type: ignore[method-assign, assignment]


def serve(folder: Path, questions: int, answers: int, fate: Fate, mutant: str) -> None:
    """Answer every question that comes; return when there are no more."""
    later: list[Callable[[], object]] = []
    if mutant == "written-late":
        write_late(later)
    if mutant == "running-dropped":
        drop_running()
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
                with contextlib.suppress(RuntimeError):  # the second time
                    write()
            later.clear()
        out.write(to_passed(fate))


def to_passed(fate: Fate) -> bytes:
    """How often every point was passed, as a last frame."""
    body = json.dumps(fate.passed).encode()
    return "passed".ljust(HEAD).encode() + f"{len(body):10d}".encode() + body
