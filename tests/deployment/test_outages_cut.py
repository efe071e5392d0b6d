"""Networks of sites are cut in the middle of a round, for a while or for too long, and healed."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from namespaces import networks
from outages import assert_paid_once, event_count

pytestmark = [pytest.mark.slow, pytest.mark.long]

SITES = ["east", "north", "south"]
CUT_S = 25.0
DEADLINE_S = 45.0


def test_a_cut_network_costs_a_site_its_round_at_most(tmp_path: Path) -> None:
    with networks(2) as (address, cables), federation(tmp_path, host=address) as lab:
        study = lab.write_study("cut", rounds=3, minimum_sites=2, deadline_s=DEADLINE_S)
        for name in SITES:
            lab.add_site(name)
        north, south = cables
        joined = [
            lab.join("east", study),
            lab.join("north", study, prefix=north.prefix),
            lab.join("south", study, prefix=south.prefix),
        ]
        run = lab.run(study)

        _wait_for_question(lab, run, "north", 1)
        north.cut()
        time.sleep(CUT_S)
        assert event_count(lab, "cut", "round-finished") == 0
        north.heal()

        _wait_for_question(lab, run, "south", 2)
        south.cut()
        _wait(run, lambda: event_count(lab, "cut", "round-started", server_round=3) > 0, "round 3")
        south.heal()
        assert lab.end(run) == 0, lab.said("cut.out")
        assert [lab.end(process, 60) for process in joined] == [0, 0, 0]

        ended = [event for event in lab.events("cut") if event["event"] == "round-finished"]
        assert [event["valid"] for event in ended] == [SITES, ["east", "north"], SITES]
        assert ended[0]["seconds"] > CUT_S
        assert ended[1]["rejected"] == [["south", "no-reply"]]
        assert all(event["seconds"] < DEADLINE_S + 5 for event in ended)
        for name in SITES:
            assert_paid_once(lab, name, "cut")
            assert len([e for e in lab.site_events(name) if e["event"] == "started"]) == 1
        # A call on its way when the cable is cut may outlast the cut; then there was no trouble.
        told = [event["event"] for event in lab.site_events("north")]
        assert ("trouble-over" in told) == ("trouble" in told)


def _wait_for_question(
    lab: Federation, run: subprocess.Popen[bytes], site: str, number: int
) -> None:
    def is_so() -> bool:
        events = [event for event in lab.site_events(site) if event["event"] == "question"]
        return any(event.get("server-round") == number for event in events)

    _wait(run, is_so, f"question of round {number} at {site}")


def _wait(run: subprocess.Popen[bytes], is_so: Callable[[], bool], what: str) -> None:
    wait_for(lambda: is_so() or run.poll() is not None, what, 150)
    assert run.poll() is None, f"the study ended before {what}"
