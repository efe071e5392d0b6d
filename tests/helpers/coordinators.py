"""Coordinators for tests: folders with free ports, and real processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from services import need

from server.deploy.folder import ServerConfig, ServerFolder
from server.deploy.founding import found_server
from server.deploy.process_records import PidFile


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def make_server(folder: Path, **settings: object) -> ServerFolder:
    """Found a coordinator that listens on loopback only."""
    port, superlink_port = free_ports(2)
    config = {
        "name": "test",
        "host": "localhost",
        "listen": "127.0.0.1",
        "port": port,
        "superlink_port": superlink_port,
    }
    return found_server(folder, ServerConfig.model_validate(config | settings))


@dataclass(kw_only=True)
class Coordinator:
    """A coordinator that runs under ``fedsynth server start --foreground``."""

    server: ServerFolder
    process: subprocess.Popen[str]
    seconds: float
    output: Path


@contextmanager
def running_coordinator(home: Path) -> Iterator[Coordinator]:
    """Start a coordinator as its people do, and stop it at the end."""
    need("nginx")
    server = make_server(home / "server")
    output = home / "output"
    code = "from fedsynth.cli import main; main()"
    command = [sys.executable, "-c", code, "server", "start", "--foreground", "--server"]
    began = time.monotonic()
    with output.open("w") as file:
        process = subprocess.Popen(
            [*command, str(server.path)], stdout=file, stderr=subprocess.STDOUT, text=True
        )
    try:
        until(lambda: PidFile(server.run / "supervisor.pid").running() is not None, 90, process)
        seconds = time.monotonic() - began
        yield Coordinator(server=server, process=process, seconds=seconds, output=output)
    finally:
        process.send_signal(signal.SIGTERM)
        code_at_end = process.wait(40)
    assert code_at_end == 0, output.read_text()
    assert json.loads(output.read_text().splitlines()[-1])["event"] == "stopped"
    for name in ("superlink", "proxy", "supervisor"):
        assert not (server.run / f"{name}.pid").exists()


def until(
    is_so: Callable[[], bool], seconds: float, process: subprocess.Popen[str] | None = None
) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come about in time"
        assert process is None or process.poll() is None, "the process has ended"
        time.sleep(0.1)
