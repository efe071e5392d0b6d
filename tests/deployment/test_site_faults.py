"""Sites that are killed, slow or gone: no study is lost with them, and nobody pays twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from settled import check_closed, check_release, rejections_of, rounds_of

pytestmark = [pytest.mark.slow, pytest.mark.long]
PHASES = ("query.hello", "query.sketch", "train", "query.evaluate", "query.close")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with federation(tmp_path_factory.mktemp("faults")) as made:
        for name in ("north", "south", "west"):
            made.add_site(name, quick=True)
        yield made


class Killer(threading.Thread):
    """Kills one site at the first question of every phase.

    Child and whole group take turns, so that one supervisor never has to wait long.
    """

    def __init__(self, lab: Federation, site: str, study: Path, *, child_first: bool) -> None:
        super().__init__(daemon=True)
        self.lab, self.site, self.study = lab, site, study
        self.child_next = child_first
        self.process = lab.join(site, study)
        self.killed: list[tuple[str, int, str]] = []

    def run(self) -> None:
        end = time.monotonic() + 300
        while len(self.killed) < len(PHASES) + 1 and time.monotonic() < end:
            for key in self.lab.questions(self.site, self.study.stem):
                if key not in {kill[:2] for kill in self.killed}:
                    self._kill(key)
            time.sleep(0.002)

    def _kill(self, key: tuple[str, int]) -> None:
        whole = not self.child_next
        self.child_next = whole
        if whole:
            self.lab.kill(self.process)
            self.process = self.lab.join(self.site, self.study)
        else:
            os.kill(self.lab.node_pid(self.site), signal.SIGKILL)
        self.killed.append((*key, "group" if whole else "child"))


def test_two_sites_killed_in_every_phase_end_the_study_and_both_count_in_each(
    lab: Federation,
) -> None:
    study = lab.write_study("killed", deadline_s=100.0, discriminator_steps=20)
    killers = [
        Killer(lab, "north", study, child_first=True),
        Killer(lab, "south", study, child_first=False),
    ]
    for killer in killers:
        killer.start()
    run = lab.run(study, "--sites", "2")
    assert lab.end(run, 400) == 0, lab.said("killed.out")
    for killer in killers:
        killer.join(timeout=30)
        assert [kill[0] for kill in killer.killed] == [
            *PHASES[:3], "train", *PHASES[3:]
        ]  # fmt: skip
        assert lab.end(killer.process, 60) in (0, -signal.SIGKILL)
    assert rounds_of(lab, "killed") == [["north", "south"]] * 2
    valid = [e["valid"] for e in lab.events("killed") if e["event"] == "phase-finished"]
    assert [sorted(sites) for sites in valid] == [["north", "south"]] * 3
    check_release(lab, "killed")
    check_closed(lab, study, "north", "south")


def test_a_site_too_slow_for_the_deadline_loses_its_round_and_is_in_the_next(
    lab: Federation,
) -> None:
    study = lab.write_study("slow", deadline_s=20.0)
    joined = [lab.join(name, study) for name in ("north", "south", "west")]
    run = lab.run(study, "--sites", "3")
    wait_for(lambda: ("query.sketch", 0) in lab.questions("west", "slow"), "sketch", 90)
    wait_for(lambda: lab.finished("slow", "query.sketch"), "end of the sketch")
    slow = lab.node_pid("west")
    os.kill(slow, signal.SIGSTOP)
    wait_for(lambda: len(rounds_of(lab, "slow")) == 1, "end of the first round")
    os.kill(slow, signal.SIGCONT)
    assert lab.end(run, 120) == 0, lab.said("slow.out")
    assert [lab.end(process, 60) for process in joined] == [0, 0, 0]
    assert rounds_of(lab, "slow") == [["north", "south"], ["north", "south", "west"]]
    assert rejections_of(lab, "slow") == [{"west": "no-reply"}, {}]
    check_release(lab, "slow")
    check_closed(lab, study, "north", "south", "west")


def test_without_enough_sites_the_study_ends_with_a_sentence_and_goes_on_when_they_are_back(
    lab: Federation,
) -> None:
    study = lab.write_study("pair", deadline_s=15.0, rounds=1, minimum_sites=2)
    north, south = lab.join("north", study), lab.join("south", study)
    run = lab.run(study, "--sites", "2")
    wait_for(lambda: ("train", 1) in lab.questions("south", "pair"), "first round", 90)
    lab.kill(south)
    assert lab.end(run, 60) == 1
    said = " ".join(lab.said("pair.out").split())
    assert "none of 1 rounds had 2 valid replies (in the last one: no-reply)" in said
    assert "run the same command again to go on" in said
    assert not lab.release("pair").exists()
    south = lab.join("south", study)
    assert lab.end(lab.run(study, "--sites", "2"), 90) == 0, lab.said("pair.out")
    assert [lab.end(process, 60) for process in (north, south)] == [0, 0]
    assert rounds_of(lab, "pair")[-1] == ["north", "south"]
    check_release(lab, "pair")
    check_closed(lab, study, "north", "south")
