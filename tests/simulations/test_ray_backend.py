from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from toy_study import client_app, make_server_app

from simulations.backends import run_local
from simulations.ray_backend import _Coordinator, run_ray
from strategies import StudyFailed
from synthesis.errors import InputError

ROOT = Path(__file__).parents[2]
# Ray leaves child processes to be reaped at exit, so it runs in a process of its own.
SCRIPT = """
import json, sys
sys.path[:0] = {paths!r}
from toy_study import client_app, make_server_app
from simulations.ray_backend import run_ray
results = {{}}
server_app = make_server_app(results, num_sites=3, minimum=3)
run_ray(server_app, client_app, 3, run_config={{"toy": "yes"}})
print(json.dumps([
    results["run_config"],
    results["pooled"].values.tolist(),
    {{name: array.tolist() for name, array in results["arrays"].items()}},
    [len(r.valid) for r in results["rounds"]],
]))
"""


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    script = script.format(paths=[str(ROOT), str(ROOT / "tests" / "helpers")])
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.alone
def test_both_backends_give_the_same_result_and_print_nothing() -> None:
    pytest.importorskip("ray")
    done = run_script(SCRIPT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    results: dict[str, Any] = {}
    server_app = make_server_app(results, num_sites=3, minimum=3)
    run_local(server_app, client_app, 3, run_config={"toy": "yes"})
    assert json.loads(line) == [
        {"toy": "yes"},
        results["pooled"].values.tolist(),
        {name: array.tolist() for name, array in results["arrays"].items()},
        [3, 3],
    ]


LISTENING = """
import json, os, sys
sys.path[:0] = {paths!r}
import ray
from listeners import listening_addresses
from simulations.ray_session import local_ray, session_settings
with local_ray(**session_settings(1)):
    assert ray.get(ray.remote(lambda: 4).remote()) == 4
    print(json.dumps(listening_addresses(os.getpid())))
"""
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="sockets are looked up as in Linux")
def test_a_ray_of_this_machine_listens_on_loopback_alone() -> None:
    pytest.importorskip("ray")
    done = run_script(LISTENING)
    assert (done.returncode, done.stderr) == (0, "")
    listeners = json.loads(done.stdout)
    assert {"gcs_server", "raylet"} <= {command for command, _ in listeners}
    assert {address for _, address in listeners} <= LOOPBACK


def test_missing_ray_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    server_app = make_server_app({}, num_sites=3, minimum=3)
    with pytest.raises(InputError, match=r"install 'fedsynth\[ray\]' or use backend 'local'"):
        run_ray(server_app, client_app, 3)


def test_a_waiting_coordinator_ends_with_the_engine() -> None:
    class Grid:
        def get_node_ids(self) -> list[int]:
            coordinator.stop()  # the engine ends while the coordinator waits
            return []

    coordinator = _Coordinator(make_server_app({}, num_sites=3, minimum=3))
    started = time.monotonic()
    with pytest.raises(StudyFailed, match="engine has stopped"):
        coordinator(grid=Grid(), context=None)  # type: ignore[arg-type]
    assert time.monotonic() - started < 5
