"""What a study shows while it runs, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from fedsynth.progress import StudyProgress

EVENTS: list[dict[str, object]] = [
    {"event": "study-started", "sites": ["north", "[b]south"], "rounds": 2},
    {"event": "phase-started", "phase": "query.hello", "nodes": [1, 2]},
    {"event": "site-answered", "phase": "query.hello", "site": "north"},
    {"event": "phase-finished", "phase": "query.hello", "valid": [1, 2]},
    {"event": "phase-started", "phase": "query.sketch", "nodes": [1, 2]},
    {"event": "phase-finished", "phase": "query.sketch", "valid": [1, 2]},
    {"event": "budget", "budget": 1.0, "sites": {"north": 0.9991, "[b]south": 0.9992}},
    {"event": "fit-progress", "done": 5, "total": 10},
    {"event": "fit-progress", "done": 10, "total": 10},
    {"event": "round-started", "server_round": 1, "nodes": [1, 2]},
    {"event": "site-answered", "phase": "train", "site": "north"},
    {
        "event": "round-finished",
        "server_round": 1,
        "valid": [1],
        "rejected": [("[b]south", "no-reply")],
        "seconds": 1.5,
    },
    {"event": "round-void", "server_round": 2, "valid": [], "rejected": [], "seconds": 0.5},
    {"event": "phase-started", "phase": "sample and score"},
    {"event": "score-progress", "done": 1, "total": 4},
    {"event": "scored", "phase": "sample and score", "seconds": 1.0},
    {"event": "something new"},
]


def show(*, terminal: bool, width: int = 80, events: list[dict[str, object]] = EVENTS) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)
    with StudyProgress(console) as progress:
        for event in events:
            progress(event)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_lines_tell_every_phase_once_and_no_control_codes() -> None:
    lines = show(terminal=False).splitlines()
    assert lines[0] == "2 sites: north; [b]south"
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [
        "2 sites",
        "hello",
        "sketch",
        "epsilon spent so far, of 1",
        "fit",
        "adversarial rounds",
        "sample and score",
    ]
    assert not any("\x1b" in line for line in lines)
    assert "  2 of 2 sites, 0.0 s" in lines


def test_the_budget_of_every_site_is_told_and_of_many_sites_its_range() -> None:
    assert "of 1: north 0.9991, [b]south 0.9992 (the rounds to come" in show(terminal=False)
    spent = {f"site-{i}": 0.9 + i / 1000 for i in range(40)}
    many = show(terminal=False, events=[{"event": "budget", "budget": 1.0, "sites": spent}])
    assert many == "epsilon spent so far, of 1: 0.9000 to 0.9390 at 40 sites\n"


def test_what_a_study_was_planned_to_cost_is_not_told_as_all_that_a_site_spent() -> None:
    planned = {"event": "budget", "budget": 1.0, "sites": {"north": 0.9991}, "planned": True}
    told = show(terminal=False, events=[planned])
    assert told == "epsilon of this study, of 1: north 0.9991\n"


def test_replies_that_do_not_count_are_named_with_their_code() -> None:
    shown = show(terminal=False)
    assert "round 1 of 2: 1 valid replies, 1.5 s; not counted: [b]south (no-reply)" in shown
    assert "round 2 of 2: 0 valid replies, 0.5 s; too few, the round changed nothing" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_bars_fit_the_terminal(width: int) -> None:
    shown = show(terminal=True, width=width)
    for text in ("hello", "sketch", "fit", "adversarial rounds", "sample and score"):
        assert text in shown
    assert "round 2 of 2" in shown
    assert "10 of 10 steps" in shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").split("\n")
    bars = [line for line in lines if line.startswith("adversarial rounds ")]
    assert bars
    assert all("0:0" in line and len(line) <= width for line in bars)  # the clock is not cut off


def test_many_sites_are_not_all_named() -> None:
    sites = [f"s{i}" for i in range(88)]
    event = {"event": "study-started", "sites": sites, "rounds": 1}
    shown = show(terminal=False, events=[event])
    assert shown == "88 sites: s0; s1; s2; s3; s4; s5 and 82 more\n"


def test_groups_of_sites_are_told_beside_what_describes_all_of_them() -> None:
    event = {"event": "site-groups", "nodes": ["west", "north", "east"], "sizes": [2, 1]}
    shown = show(terminal=False, width=200, events=[event])
    assert "members for each of 2 groups of sites, the largest first, and for all together" in shown
    assert shown.endswith(": north; west | east\n")
