"""Where the processes below one listen, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path

_LISTEN = "0A"


def listening_addresses(root: int) -> list[tuple[str, str]]:
    """Return (command, address) of each TCP socket on which a process or one below it listens.

    Args:
        root: its process id. Addresses are hexadecimal, as in ``/proc/net/tcp``.
    """
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                sockets[f"socket:[{fields[9]}]"] = fields[1].split(":")[0]
    return [
        (Path(f"/proc/{process}/comm").read_text().strip(), sockets[name])
        for process in _with_children(root)
        for name in _open_files(process)
        if name in sockets
    ]


def _with_children(process: int) -> list[int]:
    below = Path(f"/proc/{process}/task").glob("*/children")
    children = [int(child) for file in below for child in file.read_text().split()]
    return [process, *(other for child in children for other in _with_children(child))]


def _open_files(process: int) -> list[str]:
    names = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            names.append(os.readlink(link))
        except FileNotFoundError:  # closed since
            continue
    return names
