"""The node: one question after the other, and on through whatever breaks outside."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from flwr.app import Context, Message, RecordDict
from flwr.common.serde import message_from_proto
from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.task_identity import TaskIdentity

from client.node.bundles import BundleCheck
from client.node.fleet import FleetLink
from client.node.inbox import MOST_ATTEMPTS, Inbox
from client.node.journal import Journal
from client.node.pulled import Pulled, Sent
from client.node.questions import Joined, describe_question, find_refusal, was_closing
from client.node.trouble import Kind, LinkTrouble, no_room
from client.patience import patience_of
from client.refusals import describe
from strategies.parcels import BROKEN
from strategies.protocol import QUERY_CLOSE, RefusalCode, error_reply

DONE, GAVE_UP, UNUSABLE = 0, 1, 2
ACTIVE_S: Final = 0.5
IDLE_S: Final = (1.0, 2.0)
STAYS_ACTIVE_S: Final = 60.0
GOODBYE_S: Final = 3.0
"""The SuperLink gives out no reply of a node that has left, so the last one needs a moment."""
_BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONG_TROUBLE: Final = frozenset({Kind.CERTIFICATE, Kind.CLOCK, Kind.REFUSED, Kind.NOT_ADMITTED})

_log = logging.getLogger(__name__)
Answer = Callable[[Message, Context], Message]


class Node:
    """Fetches, answers and sends, until the study is over.

    Args:
        joined: what the site agreed to.
        link: the line to the coordinator.
        journal: told what happens.
        answer: the site's own program, ``client.app.app``.
        pause: waits so many seconds; a signal may end it early.
    """

    def __init__(
        self,
        joined: Joined,
        link: FleetLink,
        journal: Journal,
        answer: Answer,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._joined = joined
        self._link = link
        self._journal = journal
        self._answer = answer
        self._pause = pause
        self._inbox = Inbox(joined.folder)
        self._bundles = BundleCheck(link, joined.bundles)
        self._trouble: Kind | None = None
        self._tries = 0
        self._last_question = float("-inf")
        self._began = time.monotonic()

    def run(self) -> int:
        """Work until the study is over, and return the exit code."""
        self._journal.state("connecting", "connecting to the coordinator")
        while True:
            asked = max(self._began, self._last_question)
            silence = time.monotonic() - min(self._link.watch.last_heard, asked)
            if silence > self._joined.patience_s:
                return self._give_up(silence)
            try:
                if self._link.node_id is None:
                    self._connect()
                if self._work_once():
                    self._pause(GOODBYE_S)
                    self._inbox.clear()  # killed before this, the next process knows it too
                    self._journal.event("study-over")
                    self._journal.state("over", "the study is over")
                    return DONE
            except LinkTrouble as trouble:
                if trouble.kind is Kind.VERSION:
                    self._journal.event("unusable", sentence=trouble.sentence)
                    self._journal.state("over", trouble.sentence)
                    return UNUSABLE
                self._wait_for_better(trouble)

    def _connect(self) -> None:
        self._link.activate()
        self._journal.event("connected", coordinator=self._journal.status.coordinator)
        self._recover()
        self._journal.state("waiting", "waiting for the coordinator's next question")

    def _recover(self) -> None:
        if self._trouble is not None:
            self._journal.event("trouble-over", kind=self._trouble.value)
        self._trouble, self._tries = None, 0

    def _work_once(self) -> bool:
        """Answer one question if there is one; return whether the study is over."""
        kept = self._load_kept()
        if kept is not None:
            return self._work(*kept)
        try:
            pulled = self._link.receive()
        except LinkTrouble as trouble:
            if trouble.kind is not Kind.RUN_OVER:
                raise
            self._journal.event("question-dropped", why="the run is over")
            return False
        self._recover()
        if pulled is None:
            self._journal.state("waiting", "waiting for the coordinator's next question")
            active = time.monotonic() - self._last_question < STAYS_ACTIVE_S
            self._pause(ACTIVE_S if active else random.uniform(*IDLE_S))
            return False
        self._last_question = time.monotonic()
        try:
            return self._work(pulled, 1)
        finally:
            self._last_question = time.monotonic()

    def _load_kept(self) -> tuple[Pulled, int] | None:
        kept = self._inbox.load()
        if kept is None:
            return None
        raw, contents, attempts = kept
        try:
            envelope = message_from_proto(raw.messages_list[0])
        except BROKEN:
            self._inbox.clear()
            return None
        parts = {get_object_id(content): content for content in contents}
        return Pulled(envelope=envelope, raw=raw, parts=parts), attempts + 1

    def _work(self, pulled: Pulled, attempts: int) -> bool:
        message, kind = pulled.envelope, pulled.envelope.metadata.message_type
        until = time.monotonic() + self._time_left(message)
        if message.metadata.dst_node_id != self._link.node_id or self._time_left(message) <= 0:
            self._journal.event("question-dropped", why="expired or not for this site")
            self._inbox.clear()
            return attempts > 1 and was_closing(pulled, self._joined)
        TaskIdentity.run_id = message.metadata.run_id
        TaskIdentity.task_id = message.metadata.dst_task_id or 0
        self._keep(pulled, attempts)
        try:
            self._link.confirm(message)
        except LinkTrouble:
            pass  # the server then keeps a copy that it does not need
        try:
            reply = self._reply_to(pulled, attempts, until)
            with suppress(OSError):  # on a full disk: it is needed only after a kill
                self._inbox.keep_reply(reply)
            sent = self._send(reply, kind, until)
        except _Void:
            self._journal.event("question-dropped", why="the run is over")
            self._inbox.clear()
            return attempts > 1 and was_closing(pulled, self._joined)
        is_over = kind == QUERY_CLOSE and not reply.has_error() and sent is not Sent.TOO_LATE
        if not is_over:
            self._inbox.clear()
        return is_over

    def _keep(self, pulled: Pulled, attempts: int) -> None:
        """Put a question onto the disk, wait for room if need be, and else go on without a copy."""
        end = time.monotonic() + patience_of(self._time_left(pulled.envelope))
        while True:
            try:
                self._inbox.keep(pulled.raw, pulled.parts, attempts)
                return
            except OSError as error:
                self._wait_for_better(no_room(error))
            if time.monotonic() >= end:
                return

    def _time_left(self, message: Message) -> float:
        """Return the seconds until nobody waits for an answer, by the coordinator's clock."""
        metadata = message.metadata
        there = time.time() - self._link.watch.clock_ahead_s
        return min(metadata.created_at + metadata.ttl - there, metadata.ttl)

    def _reply_to(self, pulled: Pulled, attempts: int, until: float) -> Message:
        message = pulled.envelope
        refusal = find_refusal(pulled, self._joined, lambda run: self._has_known_bundle(run, until))
        facts = describe_question(message)
        self._journal.event("question", attempt=attempts, **facts)
        kept = self._inbox.find_reply(message)
        if kept is not None and refusal is None:
            return kept  # perhaps announced already, under this name
        if refusal is None and attempts > MOST_ATTEMPTS:
            _log.error("a question ended this process %d times and is given up", MOST_ATTEMPTS)
            refusal = RefusalCode.LOCAL_FAILURE
        if refusal is not None:
            return error_reply(message, refusal)
        kind = message.metadata.message_type
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._journal.state("answering", f"answering {kind}", last_message=f"{kind} at {now} UTC")
        context = Context(
            run_id=message.metadata.run_id,
            node_id=message.metadata.dst_node_id,
            node_config={"site-dir": str(self._joined.folder)},
            state=RecordDict(),
            run_config={},
        )
        try:
            return self._answer(message, context)
        except (*BROKEN, OSError, RuntimeError) as error:
            _log.error("failed here, and only the code leaves: %s", describe(error))
            return error_reply(message, RefusalCode.LOCAL_FAILURE)

    def _has_known_bundle(self, run_id: int, until: float) -> bool:
        while True:
            try:
                return self._bundles.is_known(run_id)
            except LinkTrouble as trouble:
                if trouble.kind is Kind.RUN_OVER or time.monotonic() >= until:
                    raise _Void from None
                self._wait_for_better(trouble)
                self._reconnect()

    def _reconnect(self) -> None:
        if self._link.node_id is None:
            try:
                self._link.activate()
            except LinkTrouble as trouble:
                self._tell(trouble)

    def _send(self, reply: Message, kind: str, until: float) -> Sent:
        outcome = reply.error.reason if reply.has_error() else "answered"
        self._journal.state("sending", f"sending the answer to {kind}")
        sent = self._link.send(reply, until=until, on_trouble=self._tell)
        self._recover()
        self._journal.event(sent.value, type=kind, outcome=str(outcome))
        if reply.has_error():
            _log.warning("answered %s with the code %s", kind, outcome)
        return sent

    def _tell(self, trouble: LinkTrouble) -> None:
        """Say a trouble once, when it begins."""
        if trouble.kind is not self._trouble:
            self._trouble = trouble.kind
            self._journal.event("trouble", kind=trouble.kind.value, sentence=trouble.sentence)
            _log.warning("%s", trouble.sentence)
        self._journal.state(self._journal.status.state, trouble.sentence)

    def _wait_for_better(self, trouble: LinkTrouble) -> None:
        self._tell(trouble)
        if self._journal.status.state != "answering":
            self._journal.state("connecting", trouble.sentence)
        longest = _BACKOFF_S[-1] if trouble.kind in _LONG_TROUBLE else _BACKOFF_S[2]
        wait = min(_BACKOFF_S[min(self._tries, len(_BACKOFF_S) - 1)], longest)
        self._tries += 1
        self._pause(wait * random.uniform(0.8, 1.2))

    def _give_up(self, silence: float) -> int:
        last = self._journal.status.detail
        self._journal.event("gave-up", after_s=round(silence), sentence=last)
        self._journal.state(
            "over", f"gave up after {silence:.0f} seconds without a question: {last}"
        )
        return GAVE_UP


class _Void(Exception):
    """Reports that nobody waits for an answer any more."""
