"""A node of a few lines that speaks Flower's Fleet API itself, for tests of the coordinator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Message, RecordDict
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    PullObjectRequest,
    PushObjectRequest,
)
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import (
    iterate_object_tree,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor
from packets import Packet, pack

from privacy import SigningKey
from server.deploy.folder import ServerFolder
from server.deploy.registry import Admission, openssh_line
from server.deploy.runtime import make_retries

Answer = Callable[[Message], RecordDict]


def echo(message: Message) -> RecordDict:
    return message.content


@dataclass(kw_only=True)
class FakeNode:
    """A site without data: it answers every question by a function.

    Attributes:
        name: how it calls itself.
        answer: from a message to the content of the reply.
        seen: the messages it has read.
        holds_back: whether it announces replies without handing their pieces over.
        misses: how many of the next messages get lost on their way to it.
    """

    name: str
    answer: Answer = echo
    seen: list[Message] = field(default_factory=list)
    holds_back: bool = False
    misses: int = 0
    interval_s: float = 30.0

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP384R1())
        self._gone = threading.Event()
        self._thread: threading.Thread | None = None
        self._unsent: list[tuple[int, Packet]] = []

    @property
    def admission(self) -> Admission:
        return Admission(
            name=self.name,
            node_key=openssh_line(self.key.public_key()),
            ledger_key=SigningKey.generate().public.hex,
        )

    def client(self, server: ServerFolder, port: int | None = None) -> FleetHttpClient:
        return FleetHttpClient.from_server_address(
            f"127.0.0.1:{port or server.config.port}",
            False,
            server.authority.read_bytes(),
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperNode"),
                NodeAuthHttpInterceptor(self.key, self.key.public_key()),
            ],
            retry_invoker=make_retries(15),
        )

    def activate(self, client: FleetHttpClient) -> Node:
        request = ActivateNodeRequest(
            public_key=public_key_to_bytes(self.key.public_key()),
            heartbeat_interval=self.interval_s,
        )
        return Node(node_id=client.ActivateNode(request).node_id)

    def join(self, server: ServerFolder) -> None:
        """Be online from now on, in a thread."""
        self._gone.clear()
        client = self.client(server)
        node = self.activate(client)
        self._thread = threading.Thread(target=self._serve, args=(client, node), daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Say goodbye, as a node does that is stopped."""
        self._gone.set()
        if self._thread is not None:
            self._thread.join(20)

    def _serve(self, client: FleetHttpClient, node: Node) -> None:
        with client:
            while not self._gone.is_set():
                try:
                    self._look(client, node)
                except httpx.HTTPError:
                    pass
                self._gone.wait(0.1)
            client.DeactivateNode(DeactivateNodeRequest(node_id=node.node_id))

    def _look(self, client: FleetHttpClient, node: Node) -> None:
        client.SendNodeHeartbeat(
            SendNodeHeartbeatRequest(node=node, heartbeat_interval=self.interval_s)
        )
        found = client.PullMessages(PullMessagesRequest(node=node))
        for announced, tree in zip(found.messages_list, found.message_object_trees, strict=True):
            if self.misses:
                self.misses -= 1
                continue
            run_id = announced.metadata.run_id
            ids = [part.object_id for part in iterate_object_tree(tree)]
            contents = {i: self._pull(client, node, run_id, i) for i in ids}
            message_id = announced.metadata.message_id
            message = inflate_object_from_contents(message_id, contents)
            assert isinstance(message, Message)
            message.metadata.__dict__["_message_id"] = message_id
            client.ConfirmMessageReceived(
                ConfirmMessageReceivedRequest(
                    node=node, run_id=run_id, message_object_id=message_id
                )
            )
            self.seen.append(message)
            packets = self.reply(message)
            if not self._gone.is_set():
                self._unsent += [(run_id, packet) for packet in packets]
        while self._unsent:
            try:
                self._push(client, node, *self._unsent[0])
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                    raise
            del self._unsent[0]

    def reply(self, message: Message) -> list[Packet]:
        """Return what is sent back."""
        packet = pack(Message(self.answer(message), reply_to=message))
        packet.holds_back = len(packet.parts) if self.holds_back else 0
        return [packet]

    def _pull(self, client: FleetHttpClient, node: Node, run_id: int, object_id: str) -> bytes:
        request = PullObjectRequest(node=node, run_id=run_id, object_id=object_id)
        while True:  # a message is announced before its pieces are there
            found = client.PullObject(request)
            if found.object_available or self._gone.is_set():
                return found.object_content
            time.sleep(0.05)

    def _push(self, client: FleetHttpClient, node: Node, run_id: int, packet: Packet) -> None:
        taken = client.PushMessages(
            PushMessagesRequest(
                node=node,
                messages_list=[packet.announced],
                message_object_trees=[packet.tree],
                clientapp_runtime_list=[0.0],
            )
        )
        wanted = [name for name in packet.parts if name in set(taken.objects_to_push)]
        is_known = not wanted  # it was announced before, and the answer to that did not come
        for object_id in (wanted or list(packet.parts))[packet.holds_back :]:
            client.PushObject(
                PushObjectRequest(
                    node=node,
                    run_id=run_id,
                    session_id="" if is_known else taken.session_id,
                    object_id=object_id,
                    object_content=packet.parts[object_id],
                )
            )
