"""Which processes are ours: pid files that are not mistaken when a process id is used again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from synthesis.durable_file import replace_file

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class PidFile:
    """A file that names one process by its id and the moment it began."""

    path: Path

    def write(self, pid: int) -> None:
        """Name a process that runs."""
        replace_file(self.path, json.dumps({"pid": pid, "began": began(pid)}).encode())

    def running(self) -> int | None:
        """Return the id of the process if that very process still runs."""
        try:
            content = json.loads(self.path.read_bytes())
            pid, begun = int(content["pid"]), content["began"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pid if begun is not None and began(pid) == begun else None

    def stop(self, *, patience_s: float = _PATIENCE_S) -> bool:
        """End the process and what it started; return whether there was one.

        It is asked first and killed when it has not gone after ``patience_s``.
        """
        pid = self.running()
        if pid is not None:
            _signal(pid, signal.SIGTERM)
            if not _wait_gone(self, patience_s):
                end_group(pid)
                _wait_gone(self, patience_s)
        self.path.unlink(missing_ok=True)
        return pid is not None


def end_group(pid: int) -> None:
    """Kill a process group that we started, whether or not its first process is still there."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        _signal(pid, signal.SIGKILL)


def began(pid: int) -> str | None:
    """Return a mark of the moment a process began, or None if it does not run."""
    if _BOOT.exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        state, *fields = stat.rpartition(")")[2].split()
        return (
            None if state in "ZX" else f"{_BOOT.read_text(encoding='ascii').strip()} {fields[18]}"
        )
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not shown or shown.startswith("Z") else shown.partition(" ")[2].strip()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _wait_gone(file: PidFile, patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while file.running() is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
