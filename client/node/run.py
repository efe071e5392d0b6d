"""A node put together: files of the site on one side, the line to the coordinator on the other."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

from flwr.supercore.primitives.asymmetric import public_key_to_bytes

from client.app import app
from client.node.channel import Watch, open_channel
from client.node.coordinator_file import COORDINATOR_FILE, load_coordinator
from client.node.fleet import FleetLink
from client.node.heartbeat import Heartbeat
from client.node.journal import Journal, Listener, start_log, stop_log
from client.node.keys import load_node_key
from client.node.lock import hold_site
from client.node.loop import Node
from client.node.questions import Joined
from client.site import load_site

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopNode(BaseException):
    """Report that a signal asked the node to end; no handler of errors is to catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def run_node(
    folder: Path,
    *,
    study: str,
    config_hash: str,
    patience_s: float,
    restarts: int,
    listener: Listener | None,
) -> int:
    """Serve one study at one site, and return the exit code.

    Raises:
        InputError: if the site's files cannot be used, or another process serves it.
        StopNode: if a signal asked for the end.
    """
    coordinator = load_coordinator(folder / COORDINATOR_FILE)
    key = load_node_key(folder)
    load_site(folder)  # says now what would otherwise be a code in every answer
    joined = Joined(
        folder=folder,
        study=study,
        config_hash=config_hash,
        bundles=coordinator.bundles,
        patience_s=patience_s,
    )
    with hold_site(folder):
        handler = start_log(folder)
        address = coordinator.address
        journal = Journal(
            folder, study=study, coordinator=address, restarts=restarts, listener=listener
        )
        watch = Watch()
        public = public_key_to_bytes(key.public_key())
        channel = open_channel(coordinator, key, watch)
        link = FleetLink(channel, watch, folder=folder, address=address, public_key=public)
        _stop_on_signals()
        try:
            journal.event("started", restarts=restarts)
            with Heartbeat(link):
                return Node(joined, link, journal, app, time.sleep).run()
        except StopNode as stop:
            journal.event("stopped", signal=stop.code - 128)
            journal.state("over", "stopped from outside; join again to go on")
            raise
        finally:
            link.close()
            journal.close()
            stop_log(handler)


def _stop_on_signals() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StopNode(number)

    for number in _SIGNALS:
        signal.signal(number, stop)
