"""The coordinator dies in every phase of one study, and is started again by the same command."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from outages import assert_paid_once, event_count

pytestmark = pytest.mark.slow

ROWS = 30_000  # so that writing the release takes long enough to be killed in
SITES = ("north", "south")
_RUN = ("server", "run", "--schema", "schema.toml", "--server", "coordinator")


class Lives:
    """One study and the coordinator's lives in it, one after the other."""

    def __init__(self, lab: Federation, study: Path, rows: int = ROWS) -> None:
        self.lab = lab
        self.study = study
        self.name = study.stem
        self.rows = str(rows)

    def end_at(self, what: str, number: signal.Signals, **facts: object) -> int:
        """Run until an event of this life is written, send a signal, and return the exit code."""
        before = event_count(self.lab, self.name, what, **facts)
        return self.end_when(
            lambda: event_count(self.lab, self.name, what, **facts) > before,
            number,
            f"{what} {facts}",
        )

    def end_when(self, is_so: Callable[[], bool], number: signal.Signals, what: str) -> int:
        """Run until something is so, send a signal, and return the exit code."""
        process = self.lab.run(self.study, "--rows", self.rows)
        wait_for(lambda: is_so() or process.poll() is not None, what)
        assert process.poll() is None, f"ended before {what}: {self.lab.said(f'{self.name}.out')}"
        process.send_signal(number)
        return self.lab.end(process, 40)

    def has_kept(self, name: str) -> bool:
        folder = self.lab.server / "studies" / self.name / "checkpoint"
        return (folder / f"{name}.safetensors").exists()


def test_a_coordinator_that_dies_before_its_fit_and_in_a_round_ends_the_study_all_the_same(
    tmp_path: Path,
) -> None:
    with federation(tmp_path) as lab:
        lives = Lives(lab, lab.write_study("lives", fit_steps=400, deadline_s=60.0), rows=300)
        joined = [lab.join(name, lives.study) for name in SITES if lab.add_site(name)]
        assert lives.end_at("budget", signal.SIGKILL) == -signal.SIGKILL
        assert lives.has_kept("query.sketch")
        assert not lives.has_kept("fit")
        assert lives.end_at("round-started", signal.SIGTERM, server_round=2) == 143
        assert lives.has_kept("round-00001")
        last = lab.run(lives.study, "--rows", lives.rows)
        assert lab.end(last) == 0, lab.said("lives.out")
        assert [lab.end(process, 60) for process in joined] == [0, 0]
        assert [path.name for path in (lab.server / "releases").iterdir()] == ["lives"]
        for name in SITES:
            assert_paid_once(lab, name, "lives")
            assert not [event for event in lab.site_events(name) if event["event"] == "restart"]


@pytest.mark.long
def test_a_coordinator_that_dies_in_every_phase_ends_the_study_all_the_same(
    tmp_path: Path,
) -> None:
    with federation(tmp_path) as lab:
        # The sketch must be fitted for a while: the coordinator is to die within the fit.
        lives = Lives(lab, lab.write_study("lives", fit_steps=400, deadline_s=60.0))
        joined = [lab.join(name, lives.study) for name in SITES if lab.add_site(name)]
        kill = -signal.SIGKILL
        phase = "phase-started"
        assert lives.end_at(phase, signal.SIGKILL, phase="query.hello") == kill
        assert lives.end_at(phase, signal.SIGTERM, phase="query.hello") == 143
        assert lives.end_at(phase, signal.SIGKILL, phase="query.sketch") == kill
        assert lives.end_at("budget", signal.SIGKILL) == kill
        assert lives.has_kept("query.sketch")
        assert not lives.has_kept("fit")
        assert lives.end_at("round-started", signal.SIGKILL, server_round=1) == kill
        assert lives.has_kept("fit")
        assert lives.end_at("round-started", signal.SIGINT, server_round=1) == 130
        assert not lives.has_kept("round-00001")
        assert lives.end_at("round-started", signal.SIGKILL, server_round=2) == kill
        assert lives.end_at(phase, signal.SIGKILL, phase="query.evaluate") == kill
        assert all(process.poll() is None for process in joined)
        assert lives.end_at("study-closing", signal.SIGKILL) == kill
        releases = lab.server / "releases"
        assert lives.end_when(lambda: any(releases.glob(".lives-*")), signal.SIGKILL, "") == kill
        assert not lab.release("lives").exists()

        last = _run_twice(lab, lives)
        assert lab.end(last) == 0, lab.said("lives.out")
        assert [lab.end(process, 60) for process in joined] == [0, 0]
        assert [path.name for path in releases.iterdir()] == ["lives"]
        assert not list(lab.server.glob("studies/lives/checkpoint/*.safetensors.*"))
        said = lab.said("lives.out")
        assert said.count("stopped; what the study has is kept, run it again to go on") == 2
        assert "Traceback" not in said
        for name in SITES:
            assert_paid_once(lab, name, "lives")
            assert not [event for event in lab.site_events(name) if event["event"] == "restart"]
        _refused_once_released(lab, lives)


def _run_twice(lab: Federation, lives: Lives) -> subprocess.Popen[bytes]:
    """Start the study a last time, and once more while that runs, which is refused."""
    before = event_count(lab, "lives", "study-started")
    last = lab.run(lives.study, "--rows", str(ROWS))
    wait_for(lambda: event_count(lab, "lives", "study-started") > before, "start")
    last.send_signal(signal.SIGSTOP)  # so that it is still there when the other one looks
    said = lab.cli(*_RUN, lives.study, code=1)
    last.send_signal(signal.SIGCONT)
    assert "another study runs in" in said
    return last


def _refused_once_released(lab: Federation, lives: Lives) -> None:
    before = len(lab.events("lives"))
    said = lab.cli(*_RUN, lives.study, code=2)
    assert re.search(r"out must be a new or empty folder, and \S+releases/lives is not", said)
    assert len(lab.events("lives")) == before
