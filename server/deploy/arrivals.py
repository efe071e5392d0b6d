"""Replies that have begun to arrive: announced at the SuperLink, fetched piece by piece.

Flower waits for a site's pieces up to two hours and takes nobody else's meanwhile. Here each look
takes what is there, so a site that stops in the middle holds up nobody.
"""

from __future__ import annotations

from flwr.app import Message
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import (
    UnexpectedObjectContentError,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.runtime import RuntimeHttpClient
from google.protobuf.message import DecodeError

_NONSENSE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    DecodeError,
    UnexpectedObjectContentError,
)


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
        self._missing = list(dict.fromkeys(t.object_id for t in iterate_object_tree(tree)))
        self._contents: dict[str, bytes] = {}

    def fetch(self, client: RuntimeHttpClient, node: Node, run_id: int) -> Message | None:
        """Take the pieces that are there; return the reply once it is whole.

        Raises:
            httpx.HTTPError: if the SuperLink does not answer; what was taken stays taken.
            ValueError: if the pieces do not make a message.
        """
        while self._missing:
            wanted = self._missing[0]
            piece = client.PullObject(PullObjectRequest(node=node, run_id=run_id, object_id=wanted))
            self.broken = not piece.object_found
            if self.broken or not piece.object_available:
                return None
            self._contents[wanted] = piece.object_content
            del self._missing[0]
        client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(node=node, run_id=run_id, message_object_id=self._id)
        )
        message = self._put_together()
        message.metadata.__dict__["_message_id"] = self._id
        return message

    def _put_together(self) -> Message:
        try:
            with no_object_id_recompute():
                found = inflate_object_from_contents(self._id, self._contents)
        except _NONSENSE:
            raise ValueError("the pieces of a reply do not make a message") from None
        if not isinstance(found, Message):
            raise ValueError("a reply must be a message")
        return found
