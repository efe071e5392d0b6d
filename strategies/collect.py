"""Ask the sites something and wait for the answers, never longer than a deadline.

The way a ServerApp uses it::

    nodes = wait_for_nodes(grid, minimum=3, expected=4, deadline_s=60)
    hello = ask(grid, make_messages(nodes, QUERY_HELLO, content, ttl_s=60), deadline_s=60)
    hello.valid     # {node id: Reply}
    hello.rejected  # {node id: "no-reply" | "refused-policy" | "wrong-shape" | ...}
    sketches = ask(grid, make_messages(hello.valid, QUERY_SKETCH, content, ttl_s=600),
                   deadline_s=600, record=SKETCH,
                   expected={STATISTICS: ArraySpec(shape=(n,), dtypes=("float64",))},
                   max_norm=1e9)
    sketches.require(minimum=3, what="a sketch")   # or StudyFailed

Messages carry their deadline as time to live, so a message a site has not fetched by then dies
unread and costs it nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from strategies.aggregation import FloatArray
from strategies.arrays import ArraySpec
from strategies.errors import StudyFailed
from strategies.validation import NO_REPLY, Rejection, Reply, check_reply

Take = Callable[[int, Reply], Reply | Rejection]
"""From a node and a reply that passed every check to what is kept of it, or why it is not."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back from one question to several sites.

    Attributes:
        valid: replies that passed every check, by node id in ascending order.
        rejected: fixed code per node whose reply does not count, silence included.
        seconds: wall time from the first message to the last reply.
        bytes_down: size of what was sent, summed over nodes, headers not counted.
        bytes_up: the same of what came back.
        sums: arrays into which those of the valid replies were folded, and what else is kept of
            them, by name.
    """

    valid: Mapping[int, Reply]
    rejected: Mapping[int, str]
    seconds: float
    bytes_down: int
    bytes_up: int
    sums: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def require(self, minimum: int, what: str) -> None:
        """Raise StudyFailed when fewer than ``minimum`` sites gave ``what``."""
        if len(self.valid) < minimum:
            reasons = ", ".join(f"site {n}: {code}" for n, code in sorted(self.rejected.items()))
            raise StudyFailed(
                f"{len(self.valid)} sites gave {what}, {minimum} are needed"
                + (f" ({reasons})." if reasons else ".")
            )


def wait_for_nodes(
    grid: Grid,
    minimum: int,
    deadline_s: float,
    *,
    expected: int | None = None,
    among: Iterable[int] | None = None,
    poll_s: float = 0.2,
) -> list[int]:
    """Wait until ``expected`` nodes are online; at the deadline ``minimum`` is enough.

    Args:
        grid: where to look.
        minimum: fewest nodes to go on with.
        deadline_s: longest wait in seconds.
        expected: how many nodes to wait for while there is time; ``minimum`` when left out.
        among: count these node ids only.
        poll_s: pause between two looks.

    Returns:
        The node ids, ascending.

    Raises:
        StudyFailed: if fewer than ``minimum`` are there at the deadline.
    """
    end = time.monotonic() + deadline_s
    wanted = max(minimum, expected or 0)
    allowed = None if among is None else set(among)
    while True:
        nodes = sorted(n for n in grid.get_node_ids() if allowed is None or n in allowed)
        left = end - time.monotonic()
        if len(nodes) >= wanted or (left <= 0 and len(nodes) >= minimum):
            return nodes
        if left <= 0:
            raise StudyFailed(
                f"{len(nodes)} of at least {minimum} sites were online after {deadline_s:g} s."
            )
        time.sleep(min(poll_s, left))


def make_messages(
    nodes: Iterable[int], message_type: str, content: RecordDict, *, ttl_s: float, group: str = ""
) -> list[Message]:
    """Return one message per node, all with the same content and time to live."""
    return [
        Message(content, node, message_type, ttl=ttl_s, group_id=group) for node in sorted(nodes)
    ]


def ask(
    grid: Grid,
    messages: Sequence[Message],
    *,
    deadline_s: float,
    record: str | None = None,
    expected: Mapping[str, ArraySpec] | None = None,
    max_norm: float = float("inf"),
    take: Take = lambda node, reply: reply,
) -> Answers:
    """Send one message to each node and check what comes back by ``deadline_s``.

    ``record``, ``expected`` and ``max_norm`` are those of ``check_reply``; ``take`` is given every
    reply that passed, as it comes, and returns what is kept of it or why it does not count.
    """
    started = time.monotonic()

    def check(node: int, message: Message) -> Reply | Rejection:
        reply = check_reply(message, record=record, expected=expected, max_norm=max_norm)
        return take(node, reply) if isinstance(reply, Reply) else reply

    replies = grid.send_and_receive(messages, timeout=deadline_s)
    return gather(messages, replies, check, started=started)


def gather(
    messages: Sequence[Message],
    replies: Iterable[Message],
    check: Callable[[int, Message], Reply | Rejection],
    *,
    started: float,
) -> Answers:
    """Look at replies one after another as they come, and forget all but what ``check`` returns.

    Args:
        messages: what was asked, one for each node.
        replies: what came back.
        check: from a node and its reply to what counts of it.
        started: when the messages were sent, of ``time.monotonic``.

    Returns:
        Who counts, who does not and why, time and traffic.
    """
    nodes = sorted(m.metadata.dst_node_id for m in messages)
    outcome: dict[int, Reply | Rejection] = dict.fromkeys(nodes, Rejection(code=NO_REPLY))
    bytes_up = 0
    for node, reply in match_replies(messages, replies):
        bytes_up += count_bytes(reply)
        outcome[node] = check(node, reply)
    return Answers(
        valid={n: r for n, r in outcome.items() if isinstance(r, Reply)},
        rejected={n: r.code for n, r in outcome.items() if isinstance(r, Rejection)},
        seconds=time.monotonic() - started,
        bytes_down=sum(count_bytes(m) for m in messages),
        bytes_up=bytes_up,
    )


def match_replies(
    messages: Sequence[Message], replies: Iterable[Message]
) -> Iterator[tuple[int, Message]]:
    """Yield the first reply to each message with the node that was asked, as they come.

    An error on behalf of a lost node comes from the coordinator's own node id, so the message that
    is answered tells the node, not the sender.
    """
    asked = {m.metadata.message_id: m.metadata.dst_node_id for m in messages}
    for reply in replies:
        node = asked.pop(reply.metadata.reply_to_message_id, None)
        if node is not None:
            yield node, reply


def count_bytes(message: Message) -> int:
    """Return the size of a message's records in bytes, 0 for an error."""
    if not message.has_content():
        return 0
    return sum(int(record.count_bytes()) for record in message.content.values())


def arrays_of(record: Mapping[str, object]) -> dict[str, FloatArray]:
    """Return an ArrayRecord of our own making as NumPy arrays by name."""
    return {name: array.numpy() for name, array in record.items()}  # type: ignore[attr-defined]
