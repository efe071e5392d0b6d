"""What ``server status`` says of a study, from its events alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.deploy.study_state import read_study

STARTED = {"event": "study-started", "sites": ["north", "south"], "rounds": 5}
ROUND = {"event": "round-started", "server_round": 2, "nodes": ["north", "south"]}
HEARD = {"event": "site-answered", "phase": "train", "node": "north"}


def write(folder: Path, *events: dict[str, Any], tail: str = "") -> Path:
    path = folder / "flu" / "events.jsonl"
    path.parent.mkdir()
    lines = [json.dumps({"time": "2026-01-02T03:04:05+00:00", **event}) for event in events]
    path.write_text("".join(f"{line}\n" for line in lines) + tail)
    return path


def test_a_study_that_runs_is_told_with_who_answered_and_who_is_waited_for(tmp_path: Path) -> None:
    state = read_study(write(tmp_path, STARTED, ROUND, HEARD), running=True)
    expected = "flu: running, round 2 of 5; answered: north; waiting for: south"
    assert state.describe() == expected


def test_an_earlier_life_and_half_a_line_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path, STARTED, ROUND, HEARD, STARTED, tail='{"time": "2026')
    state = read_study(path, running=True)
    assert state.describe() == "flu: running"
    assert state.to_dict()["missing"] == []


def test_a_study_that_was_halted_says_why(tmp_path: Path) -> None:
    halted = {"event": "study-halted", "reason": "1 of at least 2 sites were online."}
    state = read_study(write(tmp_path, STARTED, halted), running=False)
    assert state.describe() == (
        "flu: not running; last event: study-halted (1 of at least 2 sites were online.)"
    )
