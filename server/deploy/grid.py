"""Flower's Grid as a study needs it: quick, bounded by its deadline, patient with lost sites."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import httpx
from flwr.app import Message
from flwr.proto.message_pb2 import PullObjectRequest
from flwr.proto.node_pb2 import NodeInfo
from flwr.proto.runtime_pb2 import PullAppMessagesRequest
from flwr.supercore.retry import RetryState
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from server.deploy.arrivals import Arrival
from server.deploy.exchange import Exchange, Listener, Wire
from server.deploy.folder import ServerFolder
from server.deploy.runtime import connect_task, explain, make_retries

GRACE_S = 120.0
_POLL_S = 0.25
_RETRY_S = 60.0  # outside an exchange
_BRIEF_RETRY_S = 5.0  # within one, which has a loop of its own


class StudyGrid(HttpGrid):
    """The way to all sites for one run; from ``open_run``.

    Args:
        server: the coordinator's folder.
        token: of the run's task.
        members: ids of the nodes that may take part; nobody else is ever asked.
        grace_s: longest wait for sites that went away when all others have answered.
        on_event: told ``sites-online`` with the members that are connected, whenever that is found
            to have changed, and ``site-answered``, ``site-lost``, ``site-back`` with a node's id.
    """

    def __init__(
        self,
        server: ServerFolder,
        *,
        token: str,
        members: Callable[[], frozenset[int]],
        grace_s: float = GRACE_S,
        on_event: Listener,
    ) -> None:
        super().__init__(runtime_api_address=server.superlink_address, token=token)
        self._server = server
        self._members = members
        self._grace_s = grace_s
        self._on_event = on_event
        self._last_online: set[int] | None = None
        self._retry_invoker = make_retries(_RETRY_S)

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Return the members that are online.

        Raises:
            StudyFailed: if the SuperLink stays away, or has ended the run.
        """
        members = self._members()
        try:
            found = [node for node in super().get_nodes() if node.node_id in members]
        except httpx.HTTPError as error:
            raise explain(error) from None
        self._tell_online({node.node_id for node in found})
        return found

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Ask nodes and return what they answer.

        A site that goes away is asked again when it is back. Sites that are online have until the
        timeout; when only lost ones are missing, they have the grace period.

        Args:
            messages: one for each node; each gets its id.
            timeout: longest wait in seconds, also through an outage of the SuperLink.

        Returns:
            One reply for each message whose node answered or is known to be lost, as they come.

        Raises:
            StudyFailed: if the run was ended at the SuperLink.
        """
        questions = list(messages)
        for message in questions:
            message.metadata.__dict__["_message_id"] = message.object_id
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        wire = Wire(
            push=self._push,
            pull=self._pull,
            fetch=self._fetch,
            is_taken=self._is_taken,
            online=self._online,
            members=self._members,
        )
        exchange = Exchange(
            wire, questions, deadline=deadline, grace_s=self._grace_s, on_event=self._on_event
        )
        return self._converse(exchange, deadline)

    def _converse(self, exchange: Exchange, deadline: float) -> Iterator[Message]:
        with self._brief_retries(deadline, exchange):
            yield from exchange.run(_POLL_S)

    @contextmanager
    def _brief_retries(self, deadline: float, exchange: Exchange) -> Iterator[None]:
        """Repeat calls for moments only, and tell the exchange of every outage that this hides."""

        def tell(state: RetryState) -> None:
            if isinstance(state.exception, httpx.TransportError):
                exchange.doubt()

        invoker = self._retry_invoker
        invoker.max_time = min(_BRIEF_RETRY_S, max(0.0, deadline - time.monotonic()))
        invoker.on_backoff = tell
        try:
            yield
        finally:
            invoker.max_time, invoker.on_backoff = _RETRY_S, None

    def _push(self, messages: list[Message]) -> list[str]:
        pushed = [message_id or "" for message_id in self.push_messages(messages)]
        return pushed or [""] * len(messages)

    def _pull(self, message_ids: list[str]) -> list[Arrival]:
        found = self._runtime_client.PullMessages(PullAppMessagesRequest(message_ids=message_ids))
        announced = zip(found.messages_list, found.message_object_trees, strict=True)
        return [Arrival(message, tree) for message, tree in announced]

    def _fetch(self, arrival: Arrival) -> Message | None:
        return arrival.fetch(self._runtime_client, self.node, TaskIdentity.run_id)

    def _is_taken(self, message_id: str) -> bool:
        """A node that tells that a message is safe has the SuperLink delete its object."""
        request = PullObjectRequest(
            node=self.node, run_id=TaskIdentity.run_id, object_id=message_id
        )
        return not self._runtime_client.PullObject(request).object_found

    def _online(self) -> set[int]:
        members = self._members()
        online = {node.node_id for node in super().get_nodes()} & members
        self._tell_online(online)
        return online

    def _tell_online(self, online: set[int]) -> None:
        if online != self._last_online:
            self._last_online = online
            self._on_event({"event": "sites-online", "nodes": sorted(online)})

    def _connect(self) -> None:
        if not self._is_connected:
            self._client = connect_task(self._server, self._token, retries=self._retry_invoker)
