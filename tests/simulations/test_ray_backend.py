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


@pytest.mark.slow
@pytest.mark.alone
def test_both_backends_give_the_same_result_and_print_nothing() -> None:
    pytest.importorskip("ray")
    script = SCRIPT.format(paths=[str(ROOT), str(ROOT / "tests" / "helpers")])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
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
