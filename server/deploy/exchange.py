"""One question to several sites, asked again of those that went away, until all have answered.

A site gives the same question the same answer, so asking again is free. It is also needed where
nobody went away: the SuperLink hands a question out once, and if the line breaks at that moment the
site never sees it. A site that has the question safely says so and is left in peace. Which message
a reply answers is taken from what the SuperLink says about it, never from the reply itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import httpx
from flwr.app import Error, Message
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode

from server.deploy.arrivals import Arrival
from server.deploy.runtime import explain, is_passing
from strategies.arrays import ProblemCode
from strategies.parcels import TooLarge, Unusable
from strategies.validation import PROBLEM_ERROR

LOST_CODES = frozenset(
    {
        ErrorCode.NODE_UNAVAILABLE,
        ErrorCode.MESSAGE_UNAVAILABLE,
        ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
    }
)
_PAUSE_S = 1.0  # between two looks whether a site is back
_SHORTEST_LIFE_S = 1.0
ASK_AGAIN_S = 60.0
"""After so long a site that has not taken the question is asked again, then after twice as long."""
LONGEST_OUTAGE_S = 75.0
"""The SuperLink ends a run after 60 s without a sign of life, so waiting longer helps nobody."""
Listener = Callable[[dict[str, object]], None]


@dataclass(kw_only=True, eq=False)
class Question:
    """One message to one node and how far it has come.

    Attributes:
        message: as the caller made it; its id is the one that the caller will look for.
        sent: ids under which it is on its way now.
        arrivals: replies to them that are on their way.
        lost: what the SuperLink said when the node or the message was lost.
        not_before: earliest moment to send it again.
        overdue_at: when to send it again although it is on its way.
        wait_s: from then until the next time.
        is_away: whether the node was reported lost and has not come back since.
    """

    message: Message
    sent: set[str] = field(default_factory=set)
    arrivals: list[Arrival] = field(default_factory=list)
    lost: Message | None = None
    not_before: float = 0.0
    overdue_at: float = 0.0
    wait_s: float = 0.0
    is_away: bool = False

    @property
    def node(self) -> int:
        """The node that is asked."""
        return int(self.message.metadata.dst_node_id)

    @property
    def unanswered(self) -> set[str]:
        """Ids to which no reply is on its way; the SuperLink announces a reply once."""
        return self.sent - {arrival.answers for arrival in self.arrivals}

    def is_to_be_sent(self, now: float) -> bool:
        """Return whether it is not on its way, or has been for long without a reply on its way."""
        is_overdue = not self.arrivals and self.overdue_at <= now
        return self.not_before <= now and (not self.sent or is_overdue)

    def renew(self, ttl_s: float) -> Message:
        """Return the same question as a new message that lives for the time that is left."""
        kept = self.message.metadata
        return Message(
            self.message.content,
            kept.dst_node_id,
            kept.message_type,
            ttl=max(ttl_s, _SHORTEST_LIFE_S),
            group_id=kept.group_id,
        )

    def as_answer(self, reply: Message, *, sender: int) -> Message:
        """Return a reply marked as the answer to the caller's message, from who sent it.

        It is checked as an answer to what was asked, whatever type it says it has.
        """
        reply.metadata.message_type = self.message.metadata.message_type
        reply.metadata.__dict__["_reply_to_message_id"] = self.message.metadata.message_id
        reply.metadata.__dict__["_src_node_id"] = sender
        return reply

    def failure(self, problem: Unusable) -> Message:
        """Return what stands for a reply that is too much or no message."""
        is_large = isinstance(problem, TooLarge)
        code = ProblemCode.TOO_LARGE if is_large else ProblemCode.MALFORMED
        return Message(Error(code=PROBLEM_ERROR, reason=code.value), reply_to=self.message)


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What an exchange needs of a grid.

    Attributes:
        push: sends messages and returns their ids, an empty one for what was not taken.
        pull: announces the replies to messages with these ids.
        fetch: takes what is there of a reply.
        is_taken: whether the site has told that a message is safe with it.
        online: ids of the nodes that are connected.
        members: ids of the nodes that are admitted.
    """

    push: Callable[[list[Message]], list[str]]
    pull: Callable[[list[str]], list[Arrival]]
    fetch: Callable[[Arrival], Message | None]
    is_taken: Callable[[str], bool]
    online: Callable[[], set[int]]
    members: Callable[[], frozenset[int]]


class Exchange:
    """Questions to several nodes and the answers so far.

    Args:
        wire: the way to the nodes.
        messages: one for each node, with their ids.
        deadline: last moment, of ``time.monotonic``.
        grace_s: longest wait for nodes that are away when all others have answered.
        on_event: told when a site has answered, when one is lost and when it is back.
    """

    def __init__(
        self,
        wire: Wire,
        messages: Iterable[Message],
        *,
        deadline: float,
        grace_s: float,
        on_event: Listener,
    ) -> None:
        self._wire = wire
        self._open = [Question(message=message) for message in messages]
        self._deadline = deadline
        self._grace_s = grace_s
        self._on_event = on_event
        self._alone_since: float | None = None
        self._outage: tuple[float, httpx.HTTPError] | None = None

    def run(self, poll_s: float) -> Iterator[Message]:
        """Yield each answer; at the end what the SuperLink said of the nodes that stayed away.

        Raises:
            StudyFailed: if the run was ended at the SuperLink, or the SuperLink is away at the end:
                sites that could not be heard must not count as silent.
        """
        first = True
        while self._open and not self._is_over():
            try:
                self._send(first=first)
                first = False
                yield from self._collect()
                yield from self._leave_out()
            except httpx.HTTPError as error:
                self._bear(error)
            if self._open:
                time.sleep(max(0.0, min(poll_s, self._left)))
        if self._open and self._outage is not None:
            raise explain(self._outage[1])
        for question in self._open:
            if question.lost is not None:
                yield question.as_answer(question.lost, sender=SUPERLINK_NODE_ID)

    @property
    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _bear(self, error: httpx.HTTPError) -> None:
        """Let a failed call pass, for as long as the run can outlive the outage."""
        if not is_passing(error):
            raise explain(error) from None
        since = time.monotonic() if self._outage is None else self._outage[0]
        if time.monotonic() - since > LONGEST_OUTAGE_S:
            raise explain(error) from None
        self._outage = since, error

    def _is_over(self) -> bool:
        if self._left <= 0:
            return True
        if not all(question.is_away for question in self._open):
            self._alone_since = None
            return False
        self._alone_since = self._alone_since or time.monotonic()
        return time.monotonic() - self._alone_since > self._grace_s

    def _send(self, *, first: bool) -> None:
        now = time.monotonic()
        ready = [question for question in self._open if question.is_to_be_sent(now)]
        if not ready:
            return
        for question in ready:
            question.not_before = now + _PAUSE_S
        if not first:
            online = self._wire.online()
            ready = [question for question in ready if question.node in online]
        ready = [question for question in ready if not self._is_in_work(question, now)]
        if not ready:
            return
        messages = [q.message if first else q.renew(self._left) for q in ready]
        message_ids = self._wire.push(messages)
        self._hear()
        for question, message_id in zip(ready, message_ids, strict=True):
            if not message_id:
                question.is_away = not question.sent
                continue
            question.sent.add(message_id)
            question.wait_s = 2 * question.wait_s or ASK_AGAIN_S
            question.overdue_at = now + question.wait_s
            question.is_away = False
            if question.lost is not None:
                question.lost = None
                self._on_event({"event": "site-back", "node": question.node})

    def _is_in_work(self, question: Question, now: float) -> bool:
        """Return whether the site has the question safely, and look again later if it has."""
        if not any(self._wire.is_taken(message_id) for message_id in question.sent):
            return False
        question.overdue_at = now + question.wait_s
        return True

    def doubt(self) -> None:
        """Ask again at once: the SuperLink was away, and what it handed out then may be lost."""
        for question in self._open:
            question.overdue_at = 0.0

    def _hear(self) -> None:
        """Note that the SuperLink answers."""
        if self._outage is not None:
            self.doubt()
        self._outage = None

    def _collect(self) -> Iterator[Message]:
        waiting = {message_id: q for q in self._open for message_id in q.unanswered}
        if waiting:
            arrivals = self._wire.pull(list(waiting))
            self._hear()
            for arrival in arrivals:
                if arrival.answers in waiting:
                    waiting[arrival.answers].arrivals.append(arrival)
        for question in [q for q in self._open if q.arrivals]:
            answer = self._take(question)
            if answer is not None:
                self._open.remove(question)
                phase = question.message.metadata.message_type
                self._on_event({"event": "site-answered", "phase": phase, "node": question.node})
                yield answer

    def _leave_out(self) -> Iterator[Message]:
        """Wait no longer for nodes that were revoked meanwhile."""
        members = self._wire.members()
        for question in [q for q in self._open if q.node not in members]:
            self._open.remove(question)
            gone = Message(Error(code=ErrorCode.NODE_UNAVAILABLE), reply_to=question.message)
            yield question.as_answer(gone, sender=SUPERLINK_NODE_ID)

    def _take(self, question: Question) -> Message | None:
        """Return the answer of a question whose reply is on its way, once one is whole."""
        for arrival in list(question.arrivals):
            try:
                reply = self._wire.fetch(arrival)
            except Unusable as problem:
                return question.failure(problem)
            if reply is None and not arrival.broken:
                continue
            if reply is not None and not _is_lost(reply, arrival.sender):
                return question.as_answer(reply, sender=arrival.sender)
            question.arrivals.remove(arrival)
            question.sent.discard(arrival.answers)
            self._lose(question, reply)
        return None

    def _lose(self, question: Question, notice: Message | None) -> None:
        if notice is None or notice.error.code != ErrorCode.NODE_UNAVAILABLE or question.arrivals:
            return  # only the message is gone, or another reply is coming: the site is there
        question.is_away = True
        if question.lost is None:
            self._on_event({"event": "site-lost", "node": question.node})
        question.lost = notice


def _is_lost(reply: Message, sender: int) -> bool:
    is_notice = sender == SUPERLINK_NODE_ID and reply.has_error()
    return is_notice and reply.error.code in LOST_CODES
