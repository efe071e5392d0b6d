"""``fedsynth site status``: what runs at a site, what it last did, and what was spent."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from client.node.journal import NodeStatus, is_alive, read_status
from client.site import load_site
from fedsynth.console import say, screen
from fedsynth.site.gauge import Gauge, measure, show_gauge
from fedsynth.site.ledger_view import short_time
from fedsynth.site.reading import read_ledger, source_of_site


def show_status(folder: Path, *, as_json: bool) -> None:
    """Print the status of a site's node and of its budget.

    Raises:
        InputError: if the folder is no site, or its ledger cannot be read.
        LedgerBroken: if the ledger was altered.
    """
    site = load_site(folder)
    status = read_status(folder)
    gauge = measure(read_ledger(source_of_site(site)).book)
    if as_json:
        # Not by the console, which would break long lines.
        screen.file.write(f"{json.dumps(_as_values(status, gauge))}\n")
        return
    for line in describe_node(status):
        say(screen, line)
    show_gauge(gauge)


def is_running(status: NodeStatus | None) -> bool:
    """Return whether the node that wrote this status is still there."""
    return status is not None and status.state != "over" and is_alive(status.pid)


def describe_node(status: NodeStatus | None) -> list[str]:
    """Return what a person should know of a node."""
    if status is None:
        return ["No study was ever joined from this folder."]
    since = f"{short_time(status.since)} UTC"
    if is_running(status):
        first = f"Study {status.study}: {status.state} since {since} (process {status.pid})."
    elif status.state == "over":
        first = f"Study {status.study}: nothing runs; it ended at {since}."
    else:
        first = (
            f"Study {status.study}: nothing runs, and the last process ended without a word while "
            f"{status.state}; join again to go on."
        )
    lines = [first, f"  {status.detail}", f"  coordinator: {status.coordinator}"]
    lines.append(f"  last question: {status.last_message or 'none yet'}")
    if status.restarts:
        lines.append(f"  restarts: {status.restarts}; see logs/site.log and logs/node.err")
    return lines


def _as_values(status: NodeStatus | None, gauge: Gauge) -> dict[str, object]:
    return {
        "site": gauge.site,
        "running": is_running(status),
        "node": None if status is None else asdict(status),
        "epsilon_spent": gauge.readings[-1].epsilon,
        "epsilon_allowed": gauge.policy.epsilon,
        "delta": gauge.policy.delta,
        "reservations": gauge.reservations,
        "latest": gauge.latest,
    }
