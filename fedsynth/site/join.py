"""``fedsynth site join``: take part in a study, from the first question to the last answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from client.node.coordinator_file import COORDINATOR_FILE, load_coordinator
from client.node.environment import check_flower, flower_variables
from client.node.lock import hold_site
from client.node.supervisor import node_command, supervise
from fedsynth.console import errors, say, screen
from fedsynth.endings import FAILED, USED_WRONGLY, Stopped
from fedsynth.site.node_screen import NodeScreen
from synthesis.errors import InputError

_CHECK_TIMEOUT_S = 600.0


def join_study(folder: Path, study_file: Path, *, patience_s: float, quiet: bool) -> int:
    """Serve a study until it is over; return the exit code.

    Raises:
        InputError: if site, study or coordinator's file cannot be used.
    """
    check_flower()
    if not 1 <= patience_s < float("inf"):
        raise InputError(
            f"patience must be at least 1 second, got {patience_s:g}; 86400 is a day.",
            argument="patience",
        )
    coordinator = load_coordinator(folder / COORDINATOR_FILE)
    with hold_site(folder):
        pass  # said here, before anything is computed; the node holds it from then on
    told = _silent if quiet else _aloud
    told(f"Looking at {study_file} against this site's policy and ledger...")
    checked = _check_apart(folder, study_file)
    if isinstance(checked, int):
        return checked
    if "over" in checked:
        told(checked["over"])
        return 0
    told(checked["sentence"])
    told(f"Joining study {checked['study']!r} at {coordinator.address}. Ctrl-C leaves; join again.")
    command = node_command(
        folder.resolve(),
        study=checked["study"],
        config_hash=checked["config_hash"],
        patience_s=patience_s,
    )
    view = NodeScreen(told, lambda sentence: say(errors, f"fedsynth: {sentence}"))
    try:
        return supervise(
            command, folder=folder, environment=flower_variables(folder), on_event=view.show
        )
    except Stopped as stopped:
        told("Stopped. What was answered is kept; join again to go on.")
        return stopped.code


def _check_apart(folder: Path, study_file: Path) -> dict[str, str] | int:
    """Check the study in a process of its own, whose memory goes with it; return its finding.

    An int is the exit code of a check that found the study or the site unusable, and has said so.
    """
    command = [sys.executable, "-W", "ignore", "-m", "fedsynth.site.join_check"]
    done = subprocess.run(
        [*command, str(folder), str(study_file)],
        capture_output=True,
        text=True,
        timeout=_CHECK_TIMEOUT_S,
        check=False,
    )
    if done.returncode == 0:
        finding: dict[str, str] = json.loads(done.stdout)
        return finding
    say(errors, done.stderr.strip())
    return done.returncode if done.returncode in (FAILED, USED_WRONGLY) else FAILED


def _aloud(line: str) -> None:
    say(screen, line)


def _silent(line: str) -> None:
    """Say nothing."""
