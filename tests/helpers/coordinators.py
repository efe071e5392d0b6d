"""Coordinators for tests: folders with free ports, and real processes."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from server.deploy.folder import ServerConfig, ServerFolder
from server.deploy.founding import found_server


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
