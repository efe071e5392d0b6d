"""A site that never comes back, and sites with wrong clocks, beside a study that goes on."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from services import need
from settled import (
    check_closed,
    check_epsilon,
    check_paid_once,
    check_release,
    rejections_of,
    rounds_of,
)

pytestmark = [pytest.mark.slow, pytest.mark.long]
DEADLINE_S = 150.0
WRONG = {"ahead": ("+10m", "10 minutes ahead of"), "behind": ("-10m", "10 minutes behind")}
# A faked clock breaks clock_nanosleep, by which Python sleeps; an event waits in another way.
SLEEP = "import threading, time\ntime.sleep = lambda seconds: threading.Event().wait(seconds)\n"


def test_a_site_that_is_gone_and_two_with_wrong_clocks_cost_the_others_nothing(
    tmp_path: Path,
) -> None:
    need("nginx", "faketime")
    with federation(tmp_path) as lab:
        for name in ("north", "south", "west", *WRONG):
            lab.add_site(name, quick=True)
        study = lab.write_study("gone", deadline_s=DEADLINE_S)
        joined = {name: lab.join(name, study) for name in ("north", "south", "west")}
        began = time.monotonic()
        run = lab.run(study, "--sites", "3", "--grace", "3")
        wait_for(lambda: "round-started" in names_of(lab, "gone"), "first round", 120)
        lab.kill(joined.pop("west"))
        check_wrong_clocks(lab, study)

        assert lab.end(run, 200) == 0, lab.said("gone.out")
        assert time.monotonic() - began < 2 * DEADLINE_S
        assert [lab.end(process, 60) for process in joined.values()] == [0, 0]
        assert rounds_of(lab, "gone") == [["north", "south"]] * 2
        assert rejections_of(lab, "gone") == [{"west": "node-unavailable"}, {"west": "absent"}]
        lost = [e["node"] for e in lab.events("gone") if e["event"] == "site-lost"]
        assert set(lost) == {"west"}
        check_release(lab, "gone")
        check_closed(lab, study, "north", "south")
        check_paid_once(lab, study, "west")
        for name in ("north", "south", "west"):
            check_epsilon(lab, name, study)
        check_right_clocks(lab)


def names_of(lab: Federation, study: str) -> list[str]:
    return [event["event"] for event in lab.events(study)]


def check_wrong_clocks(lab: Federation, study: Path) -> None:
    """Sites whose clocks are off say so, by how much and what to do, and keep trying."""
    joined = []
    (lab.folder / "shim").mkdir()
    (lab.folder / "shim" / "sitecustomize.py").write_text(SLEEP)
    path = os.pathsep.join([str(lab.folder / "shim"), lab.environment["PYTHONPATH"]])
    env = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": path}
    for name, (shift, _) in WRONG.items():
        prefix = ("faketime", "-f", shift)
        joined.append(lab.join(name, study, prefix=prefix, env=env))
    for name, (_, words) in WRONG.items():
        events = wait_for(lambda name=name: troubles_of(lab, name), f"word of {name}", 120)
        assert {event["kind"] for event in events} == {"clock"}
        assert f"this computer's clock is {words} the coordinator's" in events[0]["sentence"]
        assert "set the clock (by NTP)" in events[0]["sentence"]
        status = json.loads(lab.cli("site", "status", "--json", "--site", name))
        assert status["running"]
        assert status["node"]["detail"] == events[0]["sentence"]
    for process in joined:
        assert process.poll() is None
        lab.kill(process)


def troubles_of(lab: Federation, site: str) -> list[dict[str, str]]:
    return [event for event in lab.site_events(site) if event["event"] == "trouble"]


def check_right_clocks(lab: Federation) -> None:
    """The same sites take part once their clocks are right."""
    study = lab.write_study("right")
    joined = [lab.join(name, study) for name in WRONG]
    assert lab.end(lab.run(study, "--sites", "2"), 120) == 0, lab.said("right.out")
    assert [lab.end(process, 60) for process in joined] == [0, 0]
    assert rounds_of(lab, "right") == [["ahead", "behind"]] * 2
    check_closed(lab, study, *WRONG)
    for name in WRONG:
        check_epsilon(lab, name, study)
