"""The thread that tells the coordinator's server, while the site works, that it is still there."""

from __future__ import annotations

import threading
from typing import Final

from client.node.fleet import FleetLink
from client.node.trouble import LinkTrouble

BEAT_S: Final = 10.0  # far oftener than was promised, so that many may be lost
RETRY_S: Final = 2.0


class Heartbeat:
    """Beats in the background; an outage ends it as little as a refusal does.

    Args:
        link: the line to the coordinator.
    """

    def __init__(self, link: FleetLink) -> None:
        self._link = link
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        """Start to beat."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and do not wait for a call that hangs."""
        self._end.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        wait = BEAT_S
        while not self._end.wait(wait):
            try:
                self._link.beat()
                wait = BEAT_S
            except LinkTrouble:
                wait = RETRY_S  # the main thread meets the same trouble, and says so
