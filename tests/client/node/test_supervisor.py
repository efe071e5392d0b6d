"""The light parent: restarts, terminal codes, and an end that takes the child along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from client.node.supervisor import supervise

ROOT = Path(__file__).parents[3]
COUNTING = """
import json, pathlib, sys, os, signal
runs = pathlib.Path({runs!r}); n = int(runs.read_text()) if runs.exists() else 0
runs.write_text(str(n + 1))
print(json.dumps({{"event": "started", "restarts": sys.argv[-1]}}), flush=True)
print("no event", flush=True)
codes = {codes!r}
code = codes[min(n, len(codes) - 1)]
if code < 0: os.kill(os.getpid(), -code)
sys.exit(code)
"""


def run(folder: Path, codes: list[int]) -> tuple[int, list[dict[str, Any]], list[float]]:
    events: list[dict[str, Any]] = []
    waits: list[float] = []
    text = COUNTING.format(runs=str(folder / "runs"), codes=codes)
    code = supervise(
        [sys.executable, "-c", text],
        folder=folder,
        environment={},
        on_event=events.append,
        pause=waits.append,
    )
    return code, events, waits


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_terminal_code_is_handed_on_at_once(tmp_path: Path, code: int) -> None:
    ended, events, waits = run(tmp_path, [code])
    assert (ended, waits) == (code, [])
    assert events == [{"event": "started", "restarts": "0"}]


def test_a_child_that_dies_is_started_anew_ever_more_slowly(tmp_path: Path) -> None:
    ended, events, waits = run(tmp_path, [-9, 70, 143, 70, 70, 70, 70, 0])
    assert ended == 0
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    started = [event["restarts"] for event in events if event["event"] == "started"]
    assert started == [str(i) for i in range(8)]
    assert [e["code"] for e in events if e["event"] == "restart"][:3] == [-9, 70, 143]


def test_the_parent_imports_nothing_heavy() -> None:
    text = (
        "import sys, client.node.supervisor, fedsynth.site.join;"
        "print([m for m in ('torch', 'flwr') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


PARENT = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has none
from client.node.supervisor import supervise
child = [sys.executable, "-c", {child!r}]
supervise(child, folder=pathlib.Path({folder!r}), environment={{}}, on_event=print)
"""
CHILD = """
import os, sys, threading, pathlib, time
pathlib.Path({pid!r}).write_text(str(os.getpid()))
os.read(0, 1)
pathlib.Path({ended!r}).write_text("input closed")
"""


def wait_for_file(path: Path) -> str:
    end = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return path.read_text()


def test_a_parent_that_is_killed_takes_its_child_along(tmp_path: Path) -> None:
    pid, ended = tmp_path / "pid", tmp_path / "ended"
    child = CHILD.format(pid=str(pid), ended=str(ended))
    text = PARENT.format(child=child, folder=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT)
    wait_for_file(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_for_file(ended) == "input closed"


def test_whatever_ends_the_parent_ends_the_child_first(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = CHILD.format(pid=str(pid), ended=str(tmp_path / "ended"))
    text = PARENT.format(child=child, folder=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stderr=subprocess.DEVNULL)
    number = int(wait_for_file(pid))
    parent.send_signal(signal.SIGINT)  # a KeyboardInterrupt in the parent
    try:
        parent.wait(timeout=30)
    finally:
        parent.kill()
        parent.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
