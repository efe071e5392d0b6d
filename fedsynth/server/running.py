"""``fedsynth server start``, ``stop`` and ``status``: the processes of a coordinator."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from fedsynth.console import add_row, make_table, say, screen
from fedsynth.endings import Stopped
from server.deploy.folder import ServerFolder, load_server
from server.deploy.processes import start_server, stop_server, supervise
from server.deploy.status import ServerStatus, read_status


def start_and_leave(folder: Path) -> None:
    """Start both processes, say where sites reach them, and leave them running.

    Raises:
        InputError: if something is missing, runs already, or a port is taken.
        StudyFailed: if one does not come up.
    """
    server = load_server(folder)
    if os.geteuid() == 0:
        say(screen, "This runs as root, and need not: give the coordinator a user of its own.")
    start_server(server, on_event=_say_event)
    say(screen, f"Sites reach this coordinator at {server.config.address}.")
    say(screen, f"Logs are in {server.logs}. To stop it: fedsynth server stop --server {folder}")


def run_in_foreground(folder: Path) -> None:
    """Start both processes and stay; a request to end is how this ends, so its exit code is 0.

    Raises:
        InputError, StudyFailed: as `start_and_leave`.
    """
    server = load_server(folder)
    try:
        supervise(server, on_event=_print_event)
    except Stopped:
        _print_event({"event": "stopped"})


def stop_all(folder: Path) -> None:
    """Stop both processes and what watches over them."""
    ran = stop_server(load_server(folder))
    say(screen, "The coordinator is stopped." if ran else "The coordinator did not run.")


def show_status(folder: Path, *, as_json: bool) -> bool:
    """Show how the coordinator is doing; return whether both processes answer.

    Raises:
        InputError: if the folder's files cannot be used.
    """
    server = load_server(folder)
    status = read_status(server)
    if as_json:
        say(screen, json.dumps(_as_json(status)))
    else:
        _show_table(server, status)
    return status.superlink and status.proxy


def _show_table(server: ServerFolder, status: ServerStatus) -> None:
    table = make_table(f"Coordinator {server.config.name}", ["what", "state"], [])
    study = status.last_study
    there = f": {', '.join(sorted(status.online))}" if status.online else ""
    rows = {
        "superlink": "answers" if status.superlink else "does not answer",
        "proxy": f"answers at {server.config.address}" if status.proxy else "does not answer",
        "watched over": "yes" if status.supervised else "no",
        "certificate": f"valid until {status.certificate_until:%Y-%m-%d}",
        "sites online": f"{len(status.online)} of {len(status.admitted)}{there}",
        "away": ", ".join(sorted(set(status.admitted) - set(status.online))) or "none",
        "revoked": ", ".join(status.revoked) or "none",
        "last study": "none" if study is None else study.describe(),
    }
    for what, state in rows.items():
        add_row(table, [what, state])
    screen.print(table)
    say(screen, f"This coordinator signs releases with {status.public_key.hex}")


def _as_json(status: ServerStatus) -> dict[str, object]:
    study = status.last_study
    return {
        "superlink": status.superlink,
        "proxy": status.proxy,
        "supervised": status.supervised,
        "certificate_until": status.certificate_until.isoformat(),
        "admitted": list(status.admitted),
        "online": list(status.online),
        "revoked": list(status.revoked),
        "last_study": None if study is None else study.to_dict(),
        "public_key": status.public_key.hex,
    }


def _say_event(event: dict[str, object]) -> None:
    if event["event"] == "started":
        say(screen, f"The {event['process']} answers after {event['seconds']} s.")
    elif event["event"] == "handout-changed":
        say(screen, f"{event['file']} has changed: give it to every site again.")


def _print_event(event: dict[str, object]) -> None:
    time = datetime.now(UTC).isoformat(timespec="seconds")
    say(screen, json.dumps({"time": time} | event))
