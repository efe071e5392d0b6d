"""What a node tells of itself: events for programs, a log for people, a status for a glance.

None of it ever holds a secret, a credential, a cell or a number of rows.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from synthesis.durable_file import replace_file

EVENTS_FILE: Final = "logs/events.jsonl"
LOG_FILE: Final = "logs/site.log"
STATUS_FILE: Final = "state/node.json"
MOST_BYTES: Final = 5_000_000
MOST_FILES: Final = 5
_OURS: Final = ("client", "privacy", "strategies", "synthesis")
_QUIET: Final = ("httpx", "httpcore", "flwr")
STATES: Final = ("connecting", "waiting", "answering", "sending", "over")

Value = str | int | float | bool | None
Listener = Callable[[dict[str, Value]], None]


@dataclass(frozen=True, kw_only=True)
class NodeStatus:
    """What ``state/node.json`` says.

    Attributes:
        pid: the process; if it is gone, so is the node.
        study: that was joined.
        state: one of ``STATES``.
        detail: a sentence.
        since: when this state began, UTC.
        last_message: type and time of the last question, or empty.
        restarts: how often the process was started anew after it died.
        coordinator: its address.
    """

    pid: int
    study: str
    state: str
    detail: str
    since: str
    last_message: str
    restarts: int
    coordinator: str


class Journal:
    """Writes events and status of one node.

    Args:
        folder: of the site.
        study: that was joined.
        coordinator: address of the coordinator.
        restarts: how often the process was started anew.
        listener: also told every event.
    """

    def __init__(
        self,
        folder: Path,
        *,
        study: str,
        coordinator: str,
        restarts: int = 0,
        listener: Listener | None = None,
    ) -> None:
        for name in ("logs", "state"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        self._events = open_rotating(folder / EVENTS_FILE)
        self._status_file = folder / STATUS_FILE
        self._listener = listener
        self._written: NodeStatus | None = None
        self.status = NodeStatus(
            pid=os.getpid(),
            study=study,
            state="",
            detail="",
            since="",
            last_message="",
            restarts=restarts,
            coordinator=coordinator,
        )

    def event(self, name: str, **values: Value) -> None:
        """Write an event."""
        entry: dict[str, Value] = {"time": _now("milliseconds"), "event": name}
        entry["study"] = self.status.study
        entry |= values
        record = logging.LogRecord("events", logging.INFO, "", 0, json.dumps(entry), None, None)
        self._events.emit(record)
        if self._listener is not None:
            self._listener(entry)

    def state(self, state: str, detail: str, *, last_message: str | None = None) -> None:
        """Write what the node does now; the same again is not written."""
        before = self.status
        since = before.since if before.state == state else _now()
        last = before.last_message if last_message is None else last_message
        after = replace(before, state=state, detail=detail, since=since, last_message=last)
        self.status = after
        if after != self._written:
            content = json.dumps(asdict(after), indent=1, ensure_ascii=False)
            with suppress(OSError):  # on a full disk it is written with the next one
                replace_file(self._status_file, f"{content}\n".encode())
                self._written = after

    def close(self) -> None:
        """Close the file of events."""
        self._events.close()


def read_status(folder: Path) -> NodeStatus | None:
    """Return the last status of a site's node, or None if there never was one."""
    try:
        content: Any = json.loads((folder / STATUS_FILE).read_bytes())
        return NodeStatus(**content)
    except (OSError, ValueError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Return whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def start_log(folder: Path) -> logging.Handler:
    """Send what our own code logs to the site's log, for its people alone.

    Other libraries stay out: their words may hold headers, and some quote cells.
    """
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    handler = open_rotating(folder / LOG_FILE)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
    for name in _OURS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).propagate = False  # others put handlers of their own at the root
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return handler


def stop_log(handler: logging.Handler) -> None:
    """Undo ``start_log``."""
    for name in _OURS:
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).propagate = True
    for name in (*_OURS, *_QUIET):
        logging.getLogger(name).setLevel(logging.NOTSET)
    handler.close()


class _PrivateFileHandler(RotatingFileHandler):
    """A rotating file that only its owner may read, from its first byte on."""

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")


def open_rotating(path: Path) -> RotatingFileHandler:
    """Return a private file for lines that starts anew when it is large."""
    return _PrivateFileHandler(path, maxBytes=MOST_BYTES, backupCount=MOST_FILES)


def _now(timespec: str = "seconds") -> str:
    return datetime.now(UTC).isoformat(timespec=timespec)
