"""A site killed at any moment: never under-counted, one answer each, and the study completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from crash_mutants import MUTANTS

import client

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")

PHASES = {"hello", "sketch", "round-1", "round-2", "evaluation"}


def crash(home: Path, *, kills: int, seed: int = 1, mutant: str = "none", points: str = "few"):
    root = Path(client.__file__).parents[1]
    here = Path(__file__)
    paths = [root, here.parents[1] / "helpers", here.parent]
    program = [sys.executable, str(here.with_name("crashes.py"))]
    found = subprocess.run(
        [*program, str(home), str(kills), str(seed), mutant, points],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout.splitlines()[-1])


def check(found: dict[str, Any], *, kills: int) -> None:
    assert found["problems"] == []
    assert found["under-counted"] == 0
    assert found["random"] + found["points"] >= kills


def test_a_killed_site_is_never_under_counted_and_ends_the_study(tmp_path: Path) -> None:
    check(crash(tmp_path, kills=len(PHASES)), kills=14 + len(PHASES))


@pytest.mark.slow
@pytest.mark.parametrize(("mutant", "problem"), MUTANTS.items())
def test_a_site_that_breaks_the_rule_is_found(tmp_path: Path, mutant: str, problem: str) -> None:
    found = crash(tmp_path, kills=0, mutant=mutant)
    assert any(problem in text for text in found["problems"])
    with pytest.raises(AssertionError):
        check(found, kills=0)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_random_kills_and_one_at_every_point(tmp_path: Path, kills: int) -> None:
    found = crash(tmp_path, kills=kills, points="every")
    print(json.dumps(found))
    check(found, kills=kills)
    assert found["random"] >= kills
    assert found["twice"] >= kills // 4
    assert all(found["phases"][phase] >= kills // 20 for phase in PHASES)  # none was spared
