"""A coordinator's server in memory, with every trouble at a word; and a node that talks to it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.fab_pb2 import Fab, GetFabResponse
from flwr.proto.fleet_pb2 import (
    ActivateNodeResponse,
    DeactivateNodeResponse,
    PullMessagesResponse,
    PushMessagesResponse,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatResponse
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedResponse,
    PullObjectResponse,
    PushObjectResponse,
)
from flwr.proto.run_pb2 import GetRunResponse, Run
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from client.node.channel import Watch
from client.node.fleet import FleetLink
from client.node.journal import Journal
from client.node.loop import Node
from client.node.questions import Joined
from strategies.parcels import take_apart

NODE_ID = 4242
BUNDLE = b"a bundle of nothing"
DIGEST = hashlib.sha256(BUNDLE).hexdigest()


def refusal(status: int, code: int | None = None) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://there")
    content = {"detail": "x"} if code is None else {"code": code, "detail": "x"}
    response = httpx.Response(status, json=content, request=request)
    return httpx.HTTPStatusError("x", request=request, response=response)


class FakeFleet:
    """Answers as Flower's client would; ``troubles`` are raised first, one per call."""

    def __init__(self) -> None:
        self.questions: list[Message] = []
        self.troubles: dict[str, list[Exception]] = {}
        self.calls: list[str] = []
        self.bundle = BUNDLE
        self.objects: dict[str, bytes] = {}
        self.alter: Callable[[str, bytes], bytes] = lambda name, content: content
        self._pushed: dict[str, Any] = {}
        self._parts: dict[str, bytes] = {}
        self._client = httpx.Client()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)

    @property
    def replies(self) -> list[Message]:
        return [
            inflate_object_from_contents(root, dict(self._parts))
            for root in self._pushed
            if root in self._parts
        ]

    @property
    def announced(self) -> list[str]:
        return list(self._pushed)

    def ActivateNode(self, request: Any) -> Any:
        self._call("ActivateNode")
        return ActivateNodeResponse(node_id=NODE_ID)

    def DeactivateNode(self, request: Any) -> Any:
        self._call("DeactivateNode")
        return DeactivateNodeResponse()

    def SendNodeHeartbeat(self, request: Any) -> Any:
        self._call("SendNodeHeartbeat")
        return SendNodeHeartbeatResponse(success=True)

    def PullMessages(self, request: Any) -> Any:
        self._call("PullMessages")
        if not self.questions:
            return PullMessagesResponse()
        question = self.questions.pop(0)
        question.metadata.__dict__["_src_node_id"] = 1
        tree, parts = take_apart(question)
        self.objects |= parts
        return PullMessagesResponse(
            messages_list=[message_to_proto(remove_content_from_message(question))],
            message_object_trees=[tree],
        )

    def PullObject(self, request: Any) -> Any:
        self._call("PullObject")
        content = self.alter(request.object_id, self.objects[request.object_id])
        return PullObjectResponse(object_found=True, object_available=True, object_content=content)

    def ConfirmMessageReceived(self, request: Any) -> Any:
        self._call("ConfirmMessageReceived")
        return ConfirmMessageReceivedResponse()

    def GetRun(self, request: Any) -> Any:
        self._call("GetRun")
        return GetRunResponse(run=Run(run_id=request.run_id, fab_hash=DIGEST))

    def GetFab(self, request: Any) -> Any:
        self._call("GetFab")
        return GetFabResponse(fab=Fab(hash_str=DIGEST, content=self.bundle))

    def PushMessages(self, request: Any) -> Any:
        self._call("PushMessages")
        root = request.message_object_trees[0].object_id
        self._pushed[root] = request
        waiting, names = [request.message_object_trees[0]], []
        while waiting:
            tree = waiting.pop()
            names.append(tree.object_id)
            waiting.extend(tree.children)
        missing = [name for name in names if name not in self._parts]
        return PushMessagesResponse(objects_to_push=missing, session_id="s")

    def PushObject(self, request: Any) -> Any:
        self._call("PushObject")
        self._parts[request.object_id] = request.object_content
        return PushObjectResponse(stored=True)


class Ended(BaseException):
    """The test has seen enough."""


class Bench:
    """A node on a fake line; its pauses cost nothing, and it ends when ``enough`` says so."""

    def __init__(self, folder: Path, **joined: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.fleet = FakeFleet()
        self.events: list[dict[str, Any]] = []
        self.asked: list[Message] = []
        self.watch = Watch()
        self.pauses: list[float] = []
        self.enough: Callable[[], bool] = lambda: len(self.pauses) > 20
        journal = Journal(folder, study="s", coordinator="there:1", listener=self.events.append)
        self.journal = journal
        self.link = FleetLink(
            self.fleet,  # type: ignore[arg-type]
            self.watch,
            folder=folder,
            address="there:1",
            public_key=b"key",
            pause=self._pause,
        )
        given = {"study": "s", "config_hash": "h", "bundles": (DIGEST,), "patience_s": 60.0}
        self.node = Node(
            Joined(folder=folder, **(given | joined)), self.link, journal, self.answer, self._pause
        )
        self.reply: Callable[[Message], Message] = lambda message: message

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.watch.last_heard = time.monotonic()
        if self.enough():
            raise Ended

    def answer(self, message: Message, context: Any) -> Message:
        self.asked.append(message)
        return self.reply(message)

    def run(self) -> int | None:
        """The node's exit code, or None if it would have gone on."""
        try:
            return self.node.run()
        except Ended:
            return None
        finally:
            self.journal.close()

    def told(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]
