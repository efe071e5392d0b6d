"""What is left when processes are killed, or race, over one ledger: never more than the budget."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import privacy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")

KILLED = -9
REFUSED = 1


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = Path(privacy.__file__).parents[1]
    found = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("ledger_crashes.py")),
            str(tmp_path_factory.mktemp("ledgers")),
        ],
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_killed_between_reserve_and_mark_stays_spent(left: dict[str, Any]) -> None:
    between = left["between"]
    assert between["code"] == KILLED
    assert between["epsilon"] > 0.8
    assert between["state"] == "reserved"
    assert "refunded" not in between
    assert between["entries"] == 3  # opened, reserved, running: the retry charged nothing more


def test_killed_before_commit_leaves_no_trace(left: dict[str, Any]) -> None:
    assert left["before-commit"]["code"] == KILLED
    assert left["before-commit"]["epsilon"] == 0
    assert left["before-commit"]["then"] > 0.8


def test_killed_while_running_cannot_run_again(left: dict[str, Any]) -> None:
    assert left["running"] == {"code": KILLED, "retry": REFUSED, "state": "running"}


def check_race(found: dict[str, Any]) -> None:
    assert found["winners"] == found["events"] >= 1
    assert found["epsilon"] <= 1


def test_processes_reserving_at_once_never_overspend(left: dict[str, Any]) -> None:
    check_race(left["one-fits"])
    assert left["one-fits"]["winners"] == 1
    check_race(left["some-fit"])
    assert 1 < left["some-fit"]["winners"] < 10


def test_ten_processes_with_many_studies_never_overspend(left: dict[str, Any]) -> None:
    many = left["many"]
    assert many["finished"] == 10
    assert many["taken"] == many["events"] < many["asked"]
    assert many["entries"] == 1 + 2 * many["taken"]
    assert 0.5 < many["epsilon"] <= 1 < many["of-all"]


def test_a_ledger_that_decides_before_it_locks_is_found(left: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        check_race(left["no-lock"])


def test_processes_beginning_at_once_begin_once(left: dict[str, Any]) -> None:
    assert left["begin"]["winners"] == 1


def test_processes_creating_at_once_create_once(left: dict[str, Any]) -> None:
    assert left["create"] == {"winners": 1, "entries": 1}
