"""What happened in a study: one JSON object per line, with the sites' names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strategies.federated_generator import Event

EVENTS_FILE = "events.jsonl"
Listener = Callable[[Mapping[str, Any]], None]


class StudyJournal:
    """Writes every event of a study to a file and tells it on.

    Args:
        path: the file; lines are added to what is there.
        names: of the sites, by node.
        on_event: told the same events.
    """

    def __init__(self, path: Path, names: Mapping[int, str], on_event: Listener) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._names = names
        self._on_event = on_event

    def __call__(self, event: Event) -> None:
        """Take one event; nodes in it become names."""
        told = {key: self._name(key, value) for key, value in event.items()}
        if told["event"] != "fit-progress" or told["done"] == told["total"]:
            self._write(told)
        self._on_event(told)

    def name_sites(self, sentence: str) -> str:
        """Return a sentence with the sites' names in place of ``site`` and a node's number."""
        for node, name in self._names.items():
            sentence = sentence.replace(f"site {node}", name)
        return sentence

    def _name(self, key: str, value: object) -> object:
        if key in ("nodes", "valid", "told") and isinstance(value, Sequence):
            return sorted(self._names.get(node, str(node)) for node in value)
        if key == "node" and isinstance(value, int):
            return self._names.get(value, str(value))
        if key == "rejected" and isinstance(value, Mapping):
            return [(self._names.get(int(node), str(node)), code) for node, code in value.items()]
        return value

    def _write(self, event: Mapping[str, object]) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, **event}) + "\n"
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        with os.fdopen(os.open(self._path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(line)
