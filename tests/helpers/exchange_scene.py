"""A SuperLink that plays a list of happenings for each node, and an exchange with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace

from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.supercore.task_identity import TaskIdentity

from server.deploy.arrivals import Arrival
from server.deploy.exchange import Exchange, Wire
from strategies.collect import match_replies
from strategies.parcels import TooLarge, Unusable

LOST = "lost"
SILENT = "silent"
GONE = "gone"  # the message was lost, not the node
REFUSED = "refused"  # the SuperLink does not take the message
BROKEN = "broken"  # a piece of the reply is gone
NONSENSE = "nonsense"
HUGE = "huge"
COMING = "coming"  # the reply is announced, and its pieces come one by one
UNSEEN = "unseen"  # the site never gets to see this one message
SLOW = "slow"  # answers one of the messages when there are two


@dataclass
class Scene:
    """A SuperLink that plays a list of happenings for each node; after the last, it answers."""

    plays: dict[int, list[str]]
    online: set[int]
    failures: list[Exception] = field(default_factory=list)
    members: set[int] = field(default_factory=lambda: {7, 8})
    sent: list[Message] = field(default_factory=list)
    later_failures: list[Exception] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    slow_answers: int = 0
    whole_at: float = 0.0
    taken: set[str] = field(default_factory=set)
    takes: set[int] = field(default_factory=set)  # nodes that say that they have a question
    asked_for: list[list[str]] = field(default_factory=list)

    @property
    def wire(self) -> Wire:
        return Wire(
            push=self.push,
            pull=self.pull,
            fetch=self.fetch,
            is_taken=lambda message_id: message_id in self.taken,
            online=lambda: self.online,
            members=lambda: frozenset(self.members),
        )

    def push(self, messages: list[Message]) -> list[str]:
        if self.failures:
            raise self.failures.pop(0)
        ids = []
        for message in messages:
            play = self.plays.get(message.metadata.dst_node_id, [])
            if play and play[0] == REFUSED:
                play.pop(0)
                ids.append("")
                continue
            message.metadata.__dict__["_message_id"] = message.object_id
            if play and play[0] == UNSEEN:
                play.pop(0)
                self.unseen.add(message.object_id)
            self.sent.append(message)
            if message.metadata.dst_node_id in self.takes:
                self.taken.add(message.object_id)
            ids.append(message.object_id)
        return ids

    def is_unseen(self, message: Message) -> bool:
        node = message.metadata.dst_node_id
        if self.plays.get(node) == [SLOW]:
            same = [m for m in self.sent if m.metadata.dst_node_id == node]
            return len(same) < 2 or same[self.slow_answers] is not message
        return message.metadata.message_id in self.unseen

    def pull(self, message_ids: list[str]) -> list[Arrival]:
        if self.failures:
            raise self.failures.pop(0)
        self.failures, self.later_failures = self.later_failures, []
        found = []
        self.asked_for.append(message_ids)
        for message in [m for m in self.sent if m.metadata.message_id in message_ids]:
            if self.is_unseen(message):
                continue
            play = self.plays.get(message.metadata.dst_node_id, [])
            if play == [COMING, LOST] and len(self.sent) < 3:
                continue  # the first reply is announced once the question was asked twice
            what = play.pop(0) if play and play[0] != SILENT else (play or ["answer"])[0]
            what = "answer" if what == SLOW else what
            if what != SILENT:
                by_superlink = what in (LOST, GONE)
                sender = SUPERLINK_NODE_ID if by_superlink else message.metadata.dst_node_id
                arrival = SimpleNamespace(
                    answers=message.metadata.message_id,
                    sender=sender,
                    broken=what == BROKEN,
                    what=what,
                    message=message,
                )
                found.append(arrival)
        return found  # type: ignore[return-value]

    def fetch(self, arrival: Arrival) -> Message | None:
        what, message = arrival.what, arrival.message  # type: ignore[attr-defined]
        if what == COMING:
            arrival.what = "answer" if time.monotonic() > self.whole_at else what  # type: ignore[attr-defined]
            return None
        if what == BROKEN:
            return None
        if what == NONSENSE:
            raise Unusable("no message")
        if what == HUGE:
            raise TooLarge("too much")
        if what == LOST:
            return Message(Error(code=ErrorCode.NODE_UNAVAILABLE), reply_to=message)
        if what == GONE:
            return Message(Error(code=ErrorCode.MESSAGE_UNAVAILABLE), reply_to=message)
        if what == "claims-to-be-lost":
            return Message(Error(code=ErrorCode.NODE_UNAVAILABLE), reply_to=message)
        reply = Message(message.content, reply_to=message)
        if what == "claims-another-type":
            reply.metadata.message_type = "query.b"
        if what == "claims-another":  # what a hostile site writes into its own reply
            reply.metadata.__dict__["_reply_to_message_id"] = self.sent[0].metadata.message_id
            reply.metadata.__dict__["_src_node_id"] = self.sent[0].metadata.dst_node_id
        return reply


def ask(
    scene: Scene, *, seconds: float = 5.0, grace_s: float = 5.0, events: list[object] | None = None
) -> dict[int, Message]:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    messages = [
        Message(RecordDict({"c": ConfigRecord({"x": node})}), node, "query.a", ttl=seconds)
        for node in (7, 8)
    ]
    for message in messages:
        message.metadata.__dict__["_message_id"] = message.object_id
    log = [] if events is None else events
    exchange = Exchange(
        scene.wire,
        messages,
        deadline=time.monotonic() + seconds,
        grace_s=grace_s,
        on_event=log.append,
    )
    return dict(match_replies(messages, exchange.run(0.01)))
