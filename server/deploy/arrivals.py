"""Replies that have begun to arrive: announced at the SuperLink, fetched piece by piece.

Flower waits for a site's pieces up to two hours and takes nobody else's meanwhile. Here each look
takes what is there, so a site that stops in the middle holds up nobody; and a reply that is too
much is given up, and deleted at the SuperLink, before it is put together.
"""

from __future__ import annotations

from flwr.app import Message
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.node_pb2 import Node
from flwr.supercore.runtime import RuntimeHttpClient

from strategies.parcels import Intake, TooLarge, Unusable, inflate_message, list_objects

MOST_OBJECTS = 1_000
"""Of one reply: a network of five hundred arrays. The proxy lets no more be announced."""
_MOST_WAITS = 8  # pieces that are not there yet, in one look


class Arrival:
    """One reply on its way.

    Attributes:
        answers: id of the message it answers, as the SuperLink has checked it.
        sender: node that sent it, checked likewise.
        broken: whether a piece of it is gone, so that it will never be whole.
    """

    def __init__(self, announced: ProtoMessage, tree: ObjectTree) -> None:
        self.answers: str = announced.metadata.reply_to_message_id
        self.sender: int = announced.metadata.src_node_id
        self.broken = False
        self._id: str = announced.metadata.message_id
        self._intake = Intake()
        self._problem: Unusable | None = None
        self._missing: list[str] = []
        try:
            self._missing = list_objects(tree, most=MOST_OBJECTS)
        except TooLarge as problem:
            self._problem = problem

    def fetch(self, client: RuntimeHttpClient, node: Node, run_id: int) -> Message | None:
        """Take the pieces that are there; return the reply once it is whole.

        Raises:
            httpx.HTTPError: if the SuperLink does not answer; what was taken stays taken.
            Unusable: if the pieces are too much, or make no message.
        """
        try:
            self._take(client, node, run_id)
        except Unusable as problem:
            self._problem = problem
        if self._problem is None and (self.broken or self._missing):
            return None
        # Also of what is not taken, for this deletes it at the SuperLink.
        client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(node=node, run_id=run_id, message_object_id=self._id)
        )
        if self._problem is not None:
            raise self._problem
        message = inflate_message(self._id, self._intake.contents)
        message.metadata.__dict__["_message_id"] = self._id
        return message

    def _take(self, client: RuntimeHttpClient, node: Node, run_id: int) -> None:
        """Look at pieces in turn: who keeps one back does not keep the others uncounted."""
        waits = 0
        while self._missing and self._problem is None and waits < _MOST_WAITS:
            wanted = self._missing[0]
            piece = client.PullObject(PullObjectRequest(node=node, run_id=run_id, object_id=wanted))
            self.broken = not piece.object_found
            if self.broken:
                return
            del self._missing[0]
            if piece.object_available:
                self._intake.add(wanted, piece.object_content)
            else:
                self._missing.append(wanted)
                waits += 1
