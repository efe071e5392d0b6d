"""Proxy and SuperLink die in the middle of a study; its sites stay where they are."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from outages import assert_paid_once, event_count

from server.deploy.folder import load_server
from server.deploy.parts import proxy_part
from server.deploy.process_records import PidFile, end_group

pytestmark = [pytest.mark.slow, pytest.mark.long]

SITES = ("north", "south")
PROXY_AWAY_S = 60.0
DEADLINE_S = 90.0


def test_a_study_outlives_its_proxy_and_its_superlink(tmp_path: Path) -> None:
    with federation(tmp_path) as lab:
        study = lab.write_study("outage", rounds=3, deadline_s=DEADLINE_S)
        joined = [lab.join(name, study) for name in SITES if lab.add_site(name)]
        run = lab.run(study)

        _wait_for_round(lab, run, 1)
        _kill(lab, "proxy")
        time.sleep(PROXY_AWAY_S)
        lab.processes.append(proxy_part(load_server(lab.server)).launch())

        _wait_for_round(lab, run, 2)
        assert event_count(lab, "outage", "round-finished", server_round=1, changed=True) == 1
        _kill(lab, "superlink")
        began = time.monotonic()
        assert lab.end(run, 2 * DEADLINE_S) == 1
        assert time.monotonic() - began < DEADLINE_S + 20
        said = lab.said("outage.out")
        assert "the SuperLink does not answer any more; see 'fedsynth server status'" in said
        assert "run the same command again to go on" in said
        assert "superlink does not answer" in " ".join(
            lab.cli("server", "status", "--server", "coordinator", code=1).split()
        )

        watch = lab.begin(
            *("server", "start", "--foreground", "--server", "coordinator"), log="watch.out"
        )
        supervisor = PidFile(lab.server / "run" / "supervisor.pid")
        wait_for(supervisor.running, "supervisor", 90)
        run = lab.run(study)
        _wait_for_round(lab, run, 3)
        _kill(lab, "superlink")
        assert lab.end(run) == 0, lab.said("outage.out")
        assert [lab.end(process, 60) for process in joined] == [0, 0]
        assert watch.poll() is None
        assert '"ended", "process": "superlink", "code": -9' in lab.said("watch.out")

        for number in (1, 2, 3):
            rounds = [e for e in lab.events("outage") if e.get("server_round") == number]
            ended = [e for e in rounds if e["event"] != "round-started"]
            assert [(e["event"], e["valid"]) for e in ended] == [("round-finished", list(SITES))]
        for name in SITES:
            assert_paid_once(lab, name, "outage")
            assert not [event for event in lab.site_events(name) if event["event"] == "restart"]
            assert len([e for e in lab.site_events(name) if e["event"] == "started"]) == 1


def _wait_for_round(lab: Federation, run: subprocess.Popen[bytes], number: int) -> None:
    def is_so() -> bool:
        assert run.poll() is None, lab.said("outage.out")
        return event_count(lab, "outage", "round-started", server_round=number) > 0

    wait_for(is_so, f"round {number}", 120)


def _kill(lab: Federation, name: str) -> None:
    pid = PidFile(lab.server / "run" / f"{name}.pid").running()
    assert pid is not None
    if name == "proxy":
        end_group(pid)  # with its workers, or they would go on answering
    else:
        os.kill(pid, signal.SIGKILL)
