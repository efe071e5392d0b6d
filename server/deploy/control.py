"""What the coordinator asks of its SuperLink over loopback: is it there, its sites, its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

import httpx
from flwr.common.constant import Status
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.proto.fab_pb2 import Fab
from flwr.supercore.constant import NodeStatus
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import bytes_to_public_key, public_key_to_bytes

from server.deploy.bundle import build_bundle, bundle_hash
from server.deploy.folder import LOOPBACK, ServerFolder
from server.deploy.registry import AdmittedSite, openssh_line
from strategies.errors import StudyFailed
from synthesis import InputError

FLOWER = "1.41."
T = TypeVar("T")


class NotRunning(StudyFailed):
    """Report that the SuperLink does not answer."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node that the SuperLink knows and that is not unregistered."""

    node_id: int
    node_key: str
    online: bool


class Control:
    """The SuperLink's Control API; from `open_control`."""

    def __init__(self, client: ControlHttpClient, address: str) -> None:
        self._client = client
        self._address = address

    def nodes(self) -> list[Node]:
        """Return all registered nodes."""
        found = self._call(lambda: self._client.ListNodes(ListNodesRequest())).nodes_info
        return [
            Node(
                node_id=node.node_id,
                node_key=openssh_line(bytes_to_public_key(node.public_key)),
                online=node.status == NodeStatus.ONLINE,
            )
            for node in found
            if node.status != NodeStatus.UNREGISTERED
        ]

    def register(self, site: AdmittedSite) -> int:
        """Let a site in; return its node id.

        Raises:
            InputError: if the SuperLink has unregistered this key before.
        """
        request = RegisterNodeRequest(
            public_key=public_key_to_bytes(site.public_key), name=site.name
        )
        try:
            return int(self._call(lambda: self._client.RegisterNode(request)).node_id)
        except httpx.HTTPStatusError as error:
            raise InputError(
                f"the SuperLink does not register the key of {site.name!r} (HTTP "
                f"{error.response.status_code}): a key that was revoked never comes back; the site "
                "needs new keys.",
                argument="node_key",
            ) from None

    def unregister(self, node_id: int) -> None:
        """Shut a site out, at once and for good; one that is out already stays out."""
        try:
            self._call(lambda: self._client.UnregisterNode(UnregisterNodeRequest(node_id=node_id)))
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in (400, 404):
                raise _refused(error) from None

    def unfinished_runs(self) -> list[int]:
        """Return the runs that have not ended, newest first."""
        found = self._call(lambda: self._client.ListRuns(ListRunsRequest(limit=1000))).run_dict
        return [run_id for run_id, run in found.items() if run.status.status != Status.FINISHED]

    def start_run(self) -> int:
        """Start a run and return its id."""
        bundle = Fab(hash_str=bundle_hash(), content=build_bundle())
        run_id = int(self._call(lambda: self._client.StartRun(StartRunRequest(fab=bundle))).run_id)
        if run_id == 0:
            raise StudyFailed("the SuperLink did not start a run; its log says why.")
        return run_id

    def stop_run(self, run_id: int) -> None:
        """End a run; one that has ended meanwhile is let be."""
        try:
            self._call(lambda: self._client.StopRun(StopRunRequest(run_id=run_id)))
        except httpx.HTTPStatusError as error:
            if run_id in self.unfinished_runs():
                raise _refused(error) from None

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except httpx.TransportError:
            raise NotRunning(
                f"the SuperLink does not answer at {self._address}; start it with 'fedsynth "
                "server start'."
            ) from None


@contextmanager
def open_control(server: ServerFolder) -> Iterator[Control]:
    """Connect to the SuperLink; calls raise `NotRunning` when it is not there."""
    check_flower()
    reach_loopback_directly()
    client = ControlHttpClient.from_server_address(
        server_address=server.superlink_address,
        insecure=False,
        root_certificates=read_authority(server),
        interceptors=[RuntimeVersionHttpInterceptor(component_name="fedsynth")],
    )
    with client:
        yield Control(client, server.superlink_address)


def read_authority(server: ServerFolder) -> bytes:
    """Return the certificate of the coordinator's authority.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return server.authority.read_bytes()
    except OSError as error:
        raise InputError(
            f"{server.authority} cannot be read ({error.strerror}); restore it from a backup.",
            argument="server",
        ) from None


def check_flower() -> None:
    """Raise InputError unless the installed Flower is the one this was made for."""
    found = version("flwr")
    if not found.startswith(FLOWER):
        raise InputError(
            f"flwr must be {FLOWER}x, got {found}; install it with: pip install 'flwr~={FLOWER}0'.",
            argument="flwr",
        )


def reach_loopback_directly() -> None:
    """Keep requests to this machine away from a proxy that the environment names for others."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if LOOPBACK not in hosts and "*" not in hosts:
            os.environ[name] = ",".join([*hosts, LOOPBACK])


def _refused(error: httpx.HTTPStatusError) -> StudyFailed:
    return StudyFailed(
        f"the SuperLink refused (HTTP {error.response.status_code}); its log says why."
    )
