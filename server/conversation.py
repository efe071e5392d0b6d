"""What the coordinator asks the sites, and what it keeps of their answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, RecordDict
from flwr.serverapp import Grid

from server.checkpoint import Checkpoint
from server.outcome import PhaseRecord
from strategies import protocol
from strategies.arrays import ArraySpec
from strategies.collect import Answers, Take, ask, make_messages
from strategies.federated_generator import Event
from strategies.protocol import CONFIG
from strategies.receipts import ReceiptBook
from strategies.validation import Rejection, Reply

OnEvent = Callable[[Event], None]
LARGEST_NORM = 1e12
"""Largest L2 norm of an answer; no counts of people, with whatever noise, come near it."""


class Conversation:
    """Asks every question once, over all lives of the coordinator.

    Args:
        deadline_s: longest wait for the answers to one question.
        receipts: what is held of the sites' ledgers.
        checkpoint: where answers are kept.
        on_event: told when a question goes out and when its answers are in.

    Attributes:
        phases: how long each question took and what it moved.
        left_out: fixed code per node whose answer did not count, by question.
    """

    def __init__(
        self,
        *,
        deadline_s: float,
        receipts: ReceiptBook,
        checkpoint: Checkpoint,
        on_event: OnEvent,
    ) -> None:
        self.phases: list[PhaseRecord] = []
        self.left_out: dict[str, Mapping[int, str]] = {}
        self._deadline_s = deadline_s
        self._receipts = receipts
        self._checkpoint = checkpoint
        self._emit = on_event

    def ask(
        self,
        grid: Grid,
        find_nodes: Callable[[], Sequence[int]],
        kind: str,
        config: ConfigRecord,
        *,
        accept: Callable[[Answers], Answers] = lambda answers: answers,
        weights: ArrayRecord | None = None,
        record: str | None = None,
        expected: Mapping[str, ArraySpec] | None = None,
        take: Take = lambda node, reply: reply,
        longest_s: float = math.inf,
    ) -> Answers:
        """Return the answers to a question: those that are kept, or those that sites give now.

        Args:
            grid: where the sites are.
            find_nodes: says whom to ask; not called if answers are kept.
            kind: message type.
            config: settings to send.
            accept: returns the answers that count, or raises if the study cannot go on with them;
                then none are kept, and the next life of the coordinator asks again.
            weights: of a network, to send along.
            record: name of the record with arrays in the answer.
            expected: its arrays.
            take: given each good answer as it comes, returns what is kept of it, or why it does
                not count.
            longest_s: longest wait, where that for a question is longer than this one deserves.
        """
        found = self._checkpoint.find_answers(kind)
        if found is not None:
            answers, keys = found
            self._receipts.remember(keys)
            self._emit({"event": "phase-kept", "phase": kind, "valid": list(answers.valid)})
        else:
            content = RecordDict({CONFIG: config})
            if weights is not None:
                content[protocol.ARRAYS] = weights
            nodes = find_nodes()
            self._emit({"event": "phase-started", "phase": kind, "nodes": list(nodes)})
            wanted = {"record": record, "expected": expected}
            answers = accept(self._send(grid, nodes, kind, content, longest_s, take, **wanted))
            self._checkpoint.keep_answers(kind, answers, self._receipts.keys)
            self._checkpoint.keep_receipts(self._receipts.latest)
            self._emit(_finished(kind, answers))
        name = kind.removeprefix("query.")
        self.left_out[name] = answers.rejected
        self.phases.append(
            PhaseRecord(
                name=name,
                seconds=answers.seconds,
                bytes_down=answers.bytes_down,
                bytes_up=answers.bytes_up,
            )
        )
        return answers

    def close(
        self, grid: Grid, nodes: Sequence[int], config: ConfigRecord, *, longest_s: float
    ) -> list[int]:
        """Tell the sites that the study is over, and return who has heard it.

        Who cannot be reached leaves when its patience with the silence ends.
        """
        online = set(grid.get_node_ids())
        reached = [node for node in nodes if node in online]
        self._emit({"event": "study-closing", "nodes": reached})
        content = RecordDict({CONFIG: config})
        answers = self._send(
            grid, reached, protocol.QUERY_CLOSE, content, longest_s, lambda node, reply: reply
        )
        self._checkpoint.keep_receipts(self._receipts.latest)
        self._emit({"event": "study-closed", "told": list(answers.valid)})
        return list(answers.valid)

    def _send(
        self,
        grid: Grid,
        nodes: Sequence[int],
        kind: str,
        content: RecordDict,
        longest_s: float,
        take: Take,
        **wanted: Any,
    ) -> Answers:
        is_hello = kind == protocol.QUERY_HELLO
        must_grow = kind not in (protocol.QUERY_OPEN, protocol.QUERY_CLOSE)

        def vet(node: int, reply: Reply) -> Reply | Rejection:
            known = self._receipts.vet(node, reply, must_grow=must_grow)
            return take(node, known) if isinstance(known, Reply) else known

        deadline_s = min(longest_s, self._deadline_s)
        messages = make_messages(nodes, kind, content, ttl_s=deadline_s)
        answers = ask(
            grid,
            self._receipts.attach(messages),
            deadline_s=deadline_s,
            max_norm=LARGEST_NORM,
            take=take if is_hello else vet,
            **wanted,
        )
        return self._receipts.screen(answers) if is_hello else answers


def _finished(kind: str, answers: Answers) -> Event:
    return {
        "event": "phase-finished",
        "phase": kind,
        "valid": list(answers.valid),
        "rejected": dict(answers.rejected),
        "seconds": round(answers.seconds, 3),
    }
