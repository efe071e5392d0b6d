"""A coordinator's server in memory, with every trouble at a word; and a node that talks to it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from flwr.app import ConfigRecord, Message, RecordDict
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
from flwr.supercore.task_identity import TaskIdentity

from client.node.channel import Watch
from client.node.fleet import FleetLink
from client.node.journal import Journal
from client.node.loop import Node
from client.node.questions import Joined
from strategies import protocol
from strategies.parcels import take_apart

NODE_ID = 4242
BUNDLE = b"a bundle of nothing"
DIGEST = hashlib.sha256(BUNDLE).hexdigest()


def refusal(status: int, code: int | None = None) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "https://there")
    content = {"detail": "x"} if code is None else {"code": code, "detail": "x"}
    response = httpx.Response(status, json=content, request=request)
    return httpx.HTTPStatusError("x", request=request, response=response)


def question(kind: str = "query.hello", ttl: float = 60.0, **config: Any) -> Message:
    TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = 1
    given = {protocol.STUDY_ID: "s", protocol.CONFIG_HASH: "h"} | config
    content = RecordDict({protocol.CONFIG: ConfigRecord(given)})
    return Message(content, NODE_ID, kind, ttl=ttl)


class FakeFleet:
    """Answers as Flower's client would; ``troubles`` are raised first, one per call.

    A reply announced again names no parts, as with a SuperLink that has handed it on already.
    """

    def __init__(self) -> None:
        self.questions: list[Message] = []
        self.troubles: dict[str, list[Exception]] = {}
        self.after: dict[str, tuple[int, BaseException]] = {}  # raised once, after so many calls
        self.unheard: dict[str, list[Exception]] = {}  # raised when the call has been carried out
        self.calls: list[str] = []
        self.bundle = BUNDLE
        self.objects: dict[str, bytes] = {}
        self.alter: Callable[[str, bytes], bytes] = lambda name, content: content
        self._pushed: dict[str, Any] = {}
        self._parts: dict[str, bytes] = {}
        self._awaited: set[str] = set()
        self._client = httpx.Client()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.troubles.get(name):
            raise self.troubles[name].pop(0)
        if name in self.after:
            left, trouble = self.after.pop(name)
            if left == 0:
                raise trouble
            self.after[name] = (left - 1, trouble)

    def _answer(self, name: str, response: Any) -> Any:
        if self.unheard.get(name):
            raise self.unheard[name].pop(0)
        return response

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
        if root in self._pushed:  # as the SuperLink does, once it has handed the reply on
            return PushMessagesResponse(session_id="another")
        self._pushed[root] = request
        waiting, names = [request.message_object_trees[0]], []
        while waiting:
            tree = waiting.pop()
            names.append(tree.object_id)
            waiting.extend(tree.children)
        self._awaited = {name for name in names if name not in self._parts}
        response = PushMessagesResponse(objects_to_push=sorted(self._awaited), session_id="s")
        return self._answer("PushMessages", response)

    def PushObject(self, request: Any) -> Any:
        self._call("PushObject")
        is_awaited = request.object_id in self._awaited and request.session_id in ("s", "")
        if is_awaited:
            self._awaited.remove(request.object_id)
            self._parts[request.object_id] = request.object_content
        return PushObjectResponse(stored=is_awaited)


class Ended(BaseException):
    """The test has seen enough."""


class Bench:
    """A node on a fake line; its pauses cost nothing, and it ends when ``enough`` says so."""

    def __init__(self, folder: Path, fleet: FakeFleet | None = None, **joined: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.fleet = fleet or FakeFleet()
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
