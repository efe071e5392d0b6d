"""The light parent of a node: starts it, starts it anew when it dies, and ends it with itself.

It imports nothing heavy and holds no key, so that what can go wrong goes wrong in the child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

TERMINAL: Final = frozenset({0, 1, 2})
LONGEST_WAIT_S: Final = 30.0
HEALTHY_S: Final = 60.0
GRACE_S: Final = 20.0
ERRORS_FILE: Final = "logs/node.err"

OnEvent = Callable[[dict[str, Any]], None]


def node_command(folder: Path, *, study: str, config_hash: str, patience_s: float) -> list[str]:
    """Return the command line of a node."""
    return [
        *(sys.executable, "-W", "ignore", "-m", "client.node", "--supervised"),
        *("--site", str(folder), "--study", study, "--config-hash", config_hash),
        *("--patience", repr(patience_s)),
    ]


def supervise(
    command: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    on_event: OnEvent,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Keep a node running until it says by its exit code that it is done.

    Whatever ends this call, the child is ended too, and given some time for it.

    Args:
        command: the node's; how often it was started anew is added to it.
        folder: of the site, where the child's error stream goes.
        environment: variables besides this process's own.
        on_event: told every event of the child and every restart.
        pause: waits before a restart.
    """
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    restarts, wait = 0, 1.0
    while True:
        began = time.monotonic()
        code = _run_once([*command, "--restarts", str(restarts)], folder, environment, on_event)
        if code in TERMINAL:
            return code
        if time.monotonic() - began > HEALTHY_S:
            wait = 1.0
        restarts += 1
        on_event({"event": "restart", "code": code, "restarts": restarts, "wait_s": wait})
        pause(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)


def _run_once(
    command: Sequence[str], folder: Path, environment: dict[str, str], on_event: OnEvent
) -> int:
    descriptor = os.open(
        folder / ERRORS_FILE, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600
    )
    with os.fdopen(descriptor, "wb") as errors:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends when this closes, however we end
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | environment,
        )
    assert child.stdout is not None
    reader = threading.Thread(target=_read, args=(child.stdout, on_event), daemon=True)
    reader.start()
    try:
        return child.wait()
    finally:
        _end(child)
        reader.join(timeout=2.0)
        child.stdout.close()


def _read(stream: IO[bytes], on_event: OnEvent) -> None:
    for line in stream:
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                on_event(event)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child: it may finish what it sends, but not for ever."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
