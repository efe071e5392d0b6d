"""A run at the SuperLink, from its start to its end, with this process as its ServerApp."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import httpx
from flwr.common.constant import SubStatus
from flwr.common.serde import run_from_proto
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
)
from flwr.supercore.constant import TaskType
from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity

from server.deploy.control import open_control
from server.deploy.exchange import Listener
from server.deploy.folder import ServerFolder
from server.deploy.grid import GRACE_S, StudyGrid
from server.deploy.lock import locked
from server.deploy.process_records import PidFile
from server.deploy.registry import load_registry
from server.deploy.runtime import (
    CALL_S,
    Heartbeat,
    connect,
    connect_task,
    explain,
    make_retries,
)
from strategies.errors import StudyFailed

_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_POLL_S = 0.1
_GOODBYE_S = 3.0


def ignore(event: dict[str, object]) -> None:
    """Tell nobody."""


def study_process(server: ServerFolder) -> PidFile:
    """Return the file that names the process which runs a study now."""
    return PidFile(server.run / "study.pid")


@contextmanager
def alone(server: ServerFolder) -> Iterator[None]:
    """Keep every other study of this coordinator out, as long as the ``with`` block lasts.

    Raises:
        StudyFailed: if another one runs.
    """
    try:
        with locked(server.run / "study.lock", wait=False):
            study_process(server).write(os.getpid())
            try:
                yield
            finally:
                study_process(server).path.unlink(missing_ok=True)
    except BlockingIOError:
        raise StudyFailed(
            f"another study runs in {server.path}; wait for its end, or stop it first."
        ) from None


@contextmanager
def open_run(
    server: ServerFolder,
    *,
    deadline_s: float,
    grace_s: float = GRACE_S,
    on_event: Listener = ignore,
) -> Iterator[StudyGrid]:
    """Start a run and be its ServerApp as long as the ``with`` block lasts.

    What a killed coordinator left behind is ended first, so call it within `alone`. A block that
    ends with an error ends the run as failed.

    Args:
        server: the coordinator's folder; its SuperLink must be running.
        deadline_s: longest wait until the run has begun.
        grace_s: as in `StudyGrid`.
        on_event: told ``site-lost`` and ``site-back``.

    Raises:
        StudyFailed: if the SuperLink does not answer or lets no run begin.
    """
    token = _begin(server, deadline_s)
    with connect_task(server, token, retries=make_retries(_GOODBYE_S)) as client:
        status = SubStatus.FAILED
        try:
            with Heartbeat(connect_task(server, token)):
                grid = _make_grid(server, token, grace_s=grace_s, on_event=on_event)
                with closing(grid):
                    yield grid
                status = SubStatus.COMPLETED
        finally:
            _finish(client, status)


def _begin(server: ServerFolder, deadline_s: float) -> str:
    """Start a run and return the token of its task."""
    secret = server.read_superexec_secret()  # before anything is begun that it would leave behind
    try:
        with open_control(server) as control:
            for left_behind in control.unfinished_runs():
                control.stop_run(left_behind)
            run_id = control.start_run()
    except httpx.HTTPStatusError as error:
        raise explain(error) from None
    signer = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods={_ACQUIRE})
    end = time.monotonic() + deadline_s
    with connect(server, [signer], retries=make_retries(deadline_s)) as client:
        while time.monotonic() < end:
            token = _acquire(server, client, run_id)
            if token is not None:
                return token
            time.sleep(_POLL_S)
    raise StudyFailed(f"the run did not begin within {deadline_s:g} s; see the SuperLink's log.")


def _acquire(server: ServerFolder, client: RuntimeHttpClient, run_id: int) -> str | None:
    """Take the next task; one of another run is ended, for nobody but us may start one."""
    try:
        found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
    except httpx.HTTPStatusError as error:
        raise StudyFailed(
            f"the SuperLink does not accept the secret in {server.secret_file} (HTTP "
            f"{error.response.status_code}); it runs with another one, so start it again."
        ) from None
    except httpx.HTTPError as error:
        raise explain(error) from None
    if not (found.HasField("task") and found.token):
        return None
    if found.task.run_id == run_id:
        return str(found.token)
    with connect_task(server, found.token, retries=make_retries(CALL_S)) as stranger:
        _finish(stranger, SubStatus.FAILED)
    return None


def _make_grid(
    server: ServerFolder,
    token: str,
    *,
    grace_s: float,
    on_event: Listener,
) -> StudyGrid:
    with connect_task(server, token, retries=make_retries(CALL_S)) as client:
        try:
            task = client.PullTaskInput(PullTaskInputRequest())
        except httpx.HTTPError as error:
            raise explain(error) from None
    TaskIdentity.task_id = task.task_id
    TaskIdentity.run_id = task.run.run_id
    TaskIdentity.node_id = task.context.node_id
    grid = StudyGrid(
        server, token=token, members=lambda: _members(server), grace_s=grace_s, on_event=on_event
    )
    grid.set_run(run_from_proto(task.run))
    return grid


def _members(server: ServerFolder) -> frozenset[int]:
    """Return the nodes of admitted sites, as the registry stands now."""
    active = load_registry(server).active
    return frozenset(site.node_id for site in active if site.node_id is not None)


def _finish(client: RuntimeHttpClient, status: str) -> None:
    """Tell the SuperLink how the task ended; if it is gone, it will find out by itself."""
    with suppress(httpx.HTTPError):
        client.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=""))
