"""Start and stop the two processes of a coordinator."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.deploy.admitting import synchronise
from server.deploy.control import check_flower
from server.deploy.folder import ServerFolder
from server.deploy.founding import refresh_handout
from server.deploy.lock import locked
from server.deploy.parts import Part, proxy_part, superlink_part
from server.deploy.process_records import PidFile, end_group
from server.deploy.proxy import write_nginx
from strategies.errors import StudyFailed
from synthesis import InputError

Listener = Callable[[dict[str, object]], None]
Running = dict[str, subprocess.Popen[bytes]]
START_S = 60.0
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0


def ignore(event: dict[str, object]) -> None:
    """Tell nobody."""


def start_server(
    server: ServerFolder, *, on_event: Listener = ignore, deadline_s: float = START_S
) -> Running:
    """Start SuperLink and proxy, and return when both answer.

    Args:
        server: the coordinator's folder.
        on_event: told what was started, and when sites must get a new ``coordinator.toml``.
        deadline_s: longest wait for each of the two.

    Raises:
        InputError: if something is missing, runs already, or a port is taken.
        StudyFailed: if one does not come up; neither is left running then.
    """
    check_flower()
    server.check_secrets()
    with _starting(server):
        parts = [superlink_part(server), proxy_part(server)]
        _check_idle(server, parts)
        write_nginx(server)
        if refresh_handout(server):
            on_event({"event": "handout-changed", "file": str(server.handout)})
        running: Running = {}
        try:
            for part in parts:
                running[part.name] = bring_up(part, deadline_s=deadline_s, on_event=on_event)
        except BaseException:
            stop_parts(server)
            raise
    return running


def bring_up(part: Part, *, deadline_s: float, on_event: Listener) -> subprocess.Popen[bytes]:
    """Start one process and wait until it answers and knows its sites.

    Raises:
        StudyFailed: if it ends or does not answer in time, with the last lines of its log.
    """
    began = time.monotonic()
    process = part.launch()
    while not part.answers():
        code = process.poll()
        late = time.monotonic() - began > deadline_s
        if code is not None or late:
            why = f"ended with code {code}" if code is not None else "did not answer in time"
            raise StudyFailed(f"the {part.name} {why}; the end of {part.log}:\n{part.last_words()}")
        time.sleep(0.1)
    if part.name == "superlink":
        synchronise(part.server)
    on_event(
        {"event": "started", "process": part.name, "seconds": round(time.monotonic() - began, 1)}
    )
    return process


def supervise(server: ServerFolder, *, on_event: Listener = ignore) -> None:
    """Start both processes and start again whichever ends, until this process is stopped.

    Raises:
        InputError, StudyFailed: as `start_server`.
    """
    running = start_server(server, on_event=on_event)
    PidFile(server.run / "supervisor.pid").write(os.getpid())
    parts = {part.name: part for part in (superlink_part(server), proxy_part(server))}
    began = dict.fromkeys(parts, time.monotonic())
    pauses = dict.fromkeys(parts, 1.0)
    try:
        while True:
            for name, part in parts.items():
                code = running[name].poll()
                if code is None:
                    continue
                steady = time.monotonic() - began[name] > _STEADY_S
                pauses[name] = 1.0 if steady else min(2 * pauses[name], _LONGEST_PAUSE_S)
                on_event({"event": "ended", "process": name, "code": code})
                end_group(running[name].pid)  # workers that outlived it would hold its port
                time.sleep(pauses[name])
                began[name] = time.monotonic()
                running[name] = _bring_up_again(part, running[name], on_event=on_event)
            time.sleep(0.25)
    finally:
        stop_parts(server)
        (server.run / "supervisor.pid").unlink(missing_ok=True)


def stop_server(server: ServerFolder) -> bool:
    """Stop whatever of this coordinator runs; return whether anything did."""
    was_supervised = PidFile(server.run / "supervisor.pid").stop(patience_s=30)
    return stop_parts(server) or was_supervised


def stop_parts(server: ServerFolder) -> bool:
    """Stop proxy and SuperLink, in this order; return whether one of them ran."""
    stopped = [PidFile(server.run / f"{name}.pid").stop() for name in ("proxy", "superlink")]
    return any(stopped)


def _bring_up_again(
    part: Part, ended: subprocess.Popen[bytes], *, on_event: Listener
) -> subprocess.Popen[bytes]:
    try:
        return bring_up(part, deadline_s=START_S, on_event=on_event)
    except StudyFailed as error:
        on_event({"event": "not-started", "process": part.name, "reason": error.reason})
        part.pid_file.stop()
        return ended  # which has ended, so it is tried again after a longer pause


def _check_idle(server: ServerFolder, parts: list[Part]) -> None:
    """Make sure that nothing runs; one process that has lost the other is ended first."""
    running = {part.name: part.pid_file.running() for part in parts}
    supervisor = PidFile(server.run / "supervisor.pid").running()
    if supervisor is not None or all(running.values()):
        raise InputError(
            "the coordinator runs already (process "
            f"{supervisor or next(iter(running.values()))}); stop it first with 'fedsynth server "
            f"stop --server {server.path}'.",
            argument="server",
        )
    if any(running.values()):
        stop_parts(server)
    for part in parts:
        part.check_port()


@contextmanager
def _starting(server: ServerFolder) -> Iterator[None]:
    try:
        with locked(server.run / "start.lock", wait=False):
            yield
    except BlockingIOError:
        raise InputError(
            f"the coordinator in {server.path} is being started already; wait for that.",
            argument="server",
        ) from None
