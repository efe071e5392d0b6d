"""A site's line to its coordinator: come on, fetch a question, send an answer, leave.

Each method makes its calls once and raises ``LinkTrouble`` when they come to nothing; only ``send``
tries again by itself, because an answer that was paid for must not be lost with a proxy that is
gone for a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import httpx
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fab_pb2 import GetFabRequest
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    ObjectTree,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.fleet_http_client import FleetHttpClient

from client.node.channel import Watch, hurry
from client.node.pulled import Pulled, Sent
from client.node.session import Session
from client.node.trouble import Kind, LinkTrouble, explain, not_admitted, still_online
from strategies.parcels import BROKEN, Unusable, pull_parts, take_apart

# The server gives a site up after two of these without a word, and then takes no answer to what it
# asked before. So it is long enough for a proxy that is gone for a minute.
HEARTBEAT_S: Final = 45.0
LONGEST_PULL_S: Final = 300.0
_RETRY_S: Final = (0.5, 1.0, 2.0, 4.0, 5.0)
_CALL_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError, RuntimeError)

Request = TypeVar("Request")
Response = TypeVar("Response")


class FleetLink:
    """The line of one site.

    Args:
        client: makes the calls.
        watch: what the client's answers told.
        folder: of the site; the number of its last session is kept there.
        address: of the coordinator, for sentences.
        public_key: PEM of the node's key.
        pause: waits so many seconds; a signal may end it early.
    """

    def __init__(
        self,
        client: FleetHttpClient,
        watch: Watch,
        *,
        folder: Path,
        address: str,
        public_key: bytes,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = client
        self._address = address
        self._public_key = public_key
        self._session = Session(folder)
        self._pause = pause
        self.watch = watch
        self.node_id: int | None = None

    def activate(self) -> int:
        """Tell the coordinator's server that this site is there."""
        request = ActivateNodeRequest(public_key=self._public_key, heartbeat_interval=HEARTBEAT_S)
        try:
            node_id = self._call(self._client.ActivateNode, request).node_id
        except LinkTrouble as trouble:
            # The same code stands for a key that is unknown and for one that is online.
            if trouble.kind is not Kind.NOT_ADMITTED or not self._is_known():
                raise
            node_id = self._take_up_session()
        self.node_id = TaskIdentity.node_id = node_id
        with suppress(OSError):  # on a full disk: it is needed only after a kill
            self._session.keep(node_id)
        return node_id

    def _take_up_session(self) -> int:
        """Go on with the session of a process of this site that was killed."""
        last = self._session.last_here()
        if last is None:
            raise still_online() from None
        self._beat(last)
        return last

    def _is_known(self) -> bool:
        """Return whether the server knows our key under the number of our last session."""
        last = self._session.last()
        if last is None:
            return False
        try:
            self._call(self._client.GetRun, GetRunRequest(node=Node(node_id=last), run_id=0))
        except LinkTrouble as trouble:
            return trouble.kind is not Kind.NOT_ADMITTED
        return True

    def beat(self) -> None:
        """Tell the server that this site is still there."""
        if self.node_id is not None:
            self._beat(self.node_id)

    def _beat(self, node_id: int) -> None:
        node = Node(node_id=node_id)
        request = SendNodeHeartbeatRequest(node=node, heartbeat_interval=HEARTBEAT_S)
        if not self._call(self._client.SendNodeHeartbeat, request).success:
            self.node_id = None
            raise not_admitted()

    def receive(self) -> Pulled | None:
        """Fetch one question, or None if there is none.

        A question that cannot be used comes back with its problem.
        """
        node = self._node()
        raw = self._call(self._client.PullMessages, PullMessagesRequest(node=node))
        if not raw.messages_list:
            return None
        try:
            envelope = message_from_proto(raw.messages_list[0])
            tree = raw.message_object_trees[0]
            if tree.object_id != envelope.metadata.message_id:
                raise Unusable("its parts belong to another message")
        except (*BROKEN, Unusable) as error:
            raise LinkTrouble(
                Kind.BUSY, f"a message that cannot even be answered came ({error}); it is left out."
            ) from None
        run_id = envelope.metadata.run_id
        parts: dict[str, bytes] = {}
        try:
            parts = self._pull_parts(tree, run_id)
        except Unusable as problem:
            return Pulled(envelope=envelope, raw=raw, parts={}, problem=problem)
        return Pulled(envelope=envelope, raw=raw, parts=parts)

    def confirm(self, message: Message) -> None:
        """Tell the server that a question is safe here."""
        request = ConfirmMessageReceivedRequest(
            node=self._node(),
            run_id=message.metadata.run_id,
            message_object_id=message.metadata.message_id,
        )
        self._call(self._client.ConfirmMessageReceived, request)

    def _pull_parts(self, tree: ObjectTree, run_id: int) -> dict[str, bytes]:
        until = time.monotonic() + LONGEST_PULL_S

        def pull(name: str) -> bytes:
            request = PullObjectRequest(node=self._node(), run_id=run_id, object_id=name)
            while True:
                answer = self._insist(self._client.PullObject, request, until)
                if not answer.object_found:
                    raise Unusable("a part of it is not there any more")
                if answer.object_available:
                    return answer.object_content
                if time.monotonic() > until:
                    raise Unusable("a part of it did not come in time")
                self._pause(1.0)

        return pull_parts(tree, pull)

    def run_bundle(self, run_id: int) -> str:
        """Return the SHA-256 of the bundle that a run names."""
        request = GetRunRequest(node=self._node(), run_id=run_id)
        return self._call(self._client.GetRun, request).run.fab_hash

    def bundle_content(self, run_id: int, digest: str) -> bytes:
        """Return the bundle of a run, to be hashed and nothing else."""
        request = GetFabRequest(node=self._node(), hash_str=digest, run_id=run_id)
        return self._call(self._client.GetFab, request).fab.content

    def send(
        self, reply: Message, *, until: float, on_trouble: Callable[[LinkTrouble], None]
    ) -> Sent:
        """Deliver an answer, however often it takes, until nobody waits for it any more.

        Args:
            reply: the answer.
            until: when nobody waits for it any more, on the monotonic clock.
            on_trouble: told why it has to be tried again.
        """
        tree, parts = take_apart(reply)
        tries = 0
        while True:
            try:
                if self.node_id is None:
                    self.activate()
                self._push(reply, tree, parts)
                return Sent.DELIVERED
            except LinkTrouble as trouble:
                if trouble.kind is Kind.RUN_OVER:
                    return Sent.RUN_OVER
                if time.monotonic() >= until:
                    return Sent.TOO_LATE
                on_trouble(trouble)
            self._pause(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
            tries += 1

    def _push(self, reply: Message, tree: ObjectTree, parts: dict[str, bytes]) -> None:
        node, run_id = self._node(), reply.metadata.run_id
        request = PushMessagesRequest(
            node=node,
            messages_list=[message_to_proto(remove_content_from_message(reply))],
            message_object_trees=[tree],
            clientapp_runtime_list=[0.0],  # how long a site takes can tell how much it has
        )
        answer = self._call(self._client.PushMessages, request)
        wanted = set(answer.objects_to_push) & set(parts)
        # Of a reply that it knows already the server asks for nothing, not even for parts that
        # never came; those it takes without a session.
        for name in wanted or parts:
            part = PushObjectRequest(
                node=node,
                run_id=run_id,
                object_id=name,
                object_content=parts[name],
                session_id=answer.session_id if wanted else "",
            )
            if not self._call(self._client.PushObject, part).stored and wanted:
                raise LinkTrouble(
                    Kind.BUSY, "the coordinator did not take a part of the answer; sending again."
                )

    def close(self) -> None:
        """Leave the coordinator in peace, if it listens, and hang up."""
        if self.node_id is not None:
            node_id, self.node_id = self.node_id, None
            hurry(self._client)
            try:
                self._call(self._client.DeactivateNode, DeactivateNodeRequest(node_id=node_id))
            except LinkTrouble:
                pass  # it will notice by itself
        self._client.close()

    def _node(self) -> Node:
        if self.node_id is None:
            raise not_admitted()
        return Node(node_id=self.node_id)

    def _insist(
        self, method: Callable[[Request], Response], request: Request, until: float
    ) -> Response:
        """Call until it works, for a while: a question half fetched would be lost."""
        while True:
            try:
                return self._call(method, request)
            except LinkTrouble as trouble:
                if trouble.kind is Kind.RUN_OVER or time.monotonic() > until:
                    raise
            self._pause(1.0)

    def _call(self, method: Callable[[Request], Response], request: Request) -> Response:
        try:
            return method(request)
        except LinkTrouble:
            raise
        except _CALL_ERRORS as error:
            trouble = explain(error, self._address, self.watch.clock_ahead_s)
        if trouble.kind is Kind.NOT_ADMITTED:
            self.node_id = None  # come on anew before anything else
        raise trouble
