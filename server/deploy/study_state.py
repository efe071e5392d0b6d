"""How far a study is, read from its events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LONGEST_TAIL = 200_000


@dataclass(kw_only=True)
class StudyState:
    """The last study, as its events tell it.

    Attributes:
        name: of the study.
        event: the last one.
        time: of the last event, UTC.
        running: whether a process runs it now.
        phase: the last that began, as in the events; a round as ``round 2 of 5``.
        answered: who has answered in it.
        missing: who has not.
        reason: why it was halted, or empty.
    """

    name: str
    event: str = "unknown"
    time: str = ""
    running: bool
    phase: str = ""
    answered: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reason: str = ""
    _rounds: int = 0

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        self.event, self.time = str(event["event"]), str(event["time"])
        if self.event == "study-started":
            self.phase, self.reason, self._rounds = "", "", int(event["rounds"])
            self.answered, self.missing = [], []
        elif self.event in ("phase-started", "round-started", "study-closing"):
            self.phase = str(event.get("phase", "query.close"))
            if self.event == "round-started":
                self.phase = f"round {event['server_round']} of {self._rounds}"
            self.answered, self.missing = [], list(event["nodes"])
        elif self.event == "site-answered" and event["node"] in self.missing:
            self.missing.remove(event["node"])
            self.answered.append(event["node"])
        elif self.event == "study-halted":
            self.reason = str(event["reason"])

    def to_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        names = ("name", "running", "event", "time", "phase", "answered", "missing", "reason")
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        """Return it as words for people."""
        if not self.running:
            return f"{self.name}: not running; last event: {self.event}" + (
                f" ({self.reason})" if self.reason else ""
            )
        words = f"{self.name}: running"
        if self.phase:
            words += f", {self.phase.removeprefix('query.')}"
            words += f"; answered: {', '.join(self.answered) or 'nobody yet'}"
            words += f"; waiting for: {', '.join(self.missing)}" if self.missing else ""
        return words


def read_study(events: Path, *, running: bool) -> StudyState:
    """Return the state of the study whose events are in a file."""
    state = StudyState(name=events.parent.name, running=running)
    for line in _last_lines(events):
        try:
            state.take(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue  # half a line, as a full disk leaves it
    return state


def _last_lines(path: Path) -> Iterable[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LONGEST_TAIL))
        return file.read().decode("utf-8", errors="replace").splitlines()
