"""A federation inside one process: Flower's Grid without a server, processes or Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, cast

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.constant import (
    NUM_PARTITIONS_KEY,
    PARTITION_ID_KEY,
    SUPERLINK_NODE_ID,
    ErrorCode,
)
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from simulations.site_app import ClientCallable, ConfigValue, SiteApp

_RUN_ID: Final = 1
_FIRST_NODE_ID: Final = 101  # any number but Flower's own node ids


class Fault(StrEnum):
    """Ways a site can fail, for tests and scenarios."""

    RAISE = "raise"  # the ClientApp raises
    LATE = "late"  # the site does the work, its reply comes after the deadline
    LOST = "lost"  # the site is gone; Flower answers in its place


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message to a site and its reply.

    Attributes:
        node_id: the site's node.
        partition_id: the site's number, from 0.
        message_type: as in ``strategies.protocol``.
        group: the server round as a string, or empty.
        seconds: time the site took.
        bytes_down: serialised size of the message.
        bytes_up: serialised size of the reply, 0 when there was none.
        failed: whether the reply was an error or missing.
    """

    node_id: int
    partition_id: int
    message_type: str
    group: str
    seconds: float
    bytes_down: int
    bytes_up: int
    failed: bool


class LocalGrid(Grid):
    """Hand every message to the ClientApp of its node at once, in this process.

    Messages and replies are serialised and parsed as on a network, so sites share nothing. Sites
    work one after another; their time does not count against a deadline. Each node has one
    ``Context`` that lasts as long as the grid.

    Args:
        client_app: the app every site runs.
        num_sites: how many sites there are; the one with partition id i has node id 101 + i.
        run_config: what sites find in ``context.run_config``.
        fault_of: says which fault, if any, a message meets.
        on_delivery: told about every message after its reply.

    Attributes:
        deliveries: everything delivered so far.
        failures: exceptions that sites raised, by node id, in order; never sent anywhere.
        offline: node ids to hide from ``get_node_ids``.
    """

    def __init__(
        self,
        client_app: ClientCallable,
        num_sites: int,
        *,
        run_config: Mapping[str, ConfigValue] | None = None,
        fault_of: Callable[[Message], Fault | None] | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
    ) -> None:
        TaskIdentity.task_id = TaskIdentity.run_id = _RUN_ID
        TaskIdentity.node_id = SUPERLINK_NODE_ID
        self.deliveries: list[Delivery] = []
        self.failures: list[tuple[int, Exception]] = []
        self.offline: set[int] = set()
        self._app = SiteApp(client_app, run_config or {}, self._keep_failure)
        self._broken_app = SiteApp(_raise, {}, self._keep_failure)
        self._contexts = {_FIRST_NODE_ID + i: _make_context(i, num_sites) for i in range(num_sites)}
        self._fault_of = fault_of or _no_fault
        self._on_delivery = on_delivery
        self._replies: dict[str, Message] = {}
        self._message_count = 0
        self._run = Run.create_empty(run_id=_RUN_ID)

    def set_run(self, run: Run) -> None:
        """Take over the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message; Flower keeps this for old code, ``Message(...)`` does the same."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of all nodes that are online."""
        return [node for node in self._contexts if node not in self.offline]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Deliver each message and keep the reply; return the message ids."""
        named = self._name(messages)
        for message in named:
            self._deliver(message)
        return [message.metadata.message_id for message in named]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to these messages, each once."""
        return [self._replies.pop(i) for i in list(message_ids) if i in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Deliver the messages one after another, each when the reply to the one before is taken.

        So no more than one reply is in memory, however many sites there are.
        """
        return self._converse(self._name(messages))

    def _converse(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            self._deliver(message)
            yield from self.pull_messages([message.metadata.message_id])

    def _name(self, messages: Iterable[Message]) -> list[Message]:
        """Give every message an id before any is delivered."""
        named = list(messages)
        for message in named:
            self._message_count += 1
            message.metadata.__dict__["_message_id"] = f"message-{self._message_count}"
        return named

    def _deliver(self, message: Message) -> None:
        started = time.perf_counter()
        sent, bytes_down = _through_the_wire(message)
        reply = self._answer(sent, self._fault_of(message))
        bytes_up = 0
        if reply is not None:
            received, bytes_up = _through_the_wire(reply)
            self._replies[message.metadata.message_id] = received
        delivery = Delivery(
            node_id=message.metadata.dst_node_id,
            partition_id=message.metadata.dst_node_id - _FIRST_NODE_ID,
            message_type=message.metadata.message_type,
            group=message.metadata.group_id,
            seconds=time.perf_counter() - started,
            bytes_down=bytes_down,
            bytes_up=bytes_up,
            failed=reply is None or reply.has_error(),
        )
        self.deliveries.append(delivery)
        if self._on_delivery is not None:
            self._on_delivery(delivery)

    def _answer(self, message: Message, fault: Fault | None) -> Message | None:
        node = message.metadata.dst_node_id
        if fault is Fault.LOST or node not in self._contexts or node in self.offline:
            return _lost_reply(message)
        app = self._broken_app if fault is Fault.RAISE else self._app
        reply = app(message, self._contexts[node])
        return None if fault is Fault.LATE else reply

    def _keep_failure(self, node_id: int, error: Exception) -> None:
        self.failures.append((node_id, error))


def _make_context(partition_id: int, num_sites: int) -> Context:
    return Context(
        run_id=_RUN_ID,
        node_id=_FIRST_NODE_ID + partition_id,
        node_config={PARTITION_ID_KEY: partition_id, NUM_PARTITIONS_KEY: num_sites},
        state=RecordDict(),
        run_config={},
    )


def _through_the_wire(message: Message) -> tuple[Message, int]:
    """Serialise and parse a message; return the copy and its size in bytes."""
    with no_object_id_recompute():
        objects = get_all_nested_objects(message)
        contents = {key: value.deflate() for key, value in objects.items()}
        size = sum(len(content) for content in contents.values())
        copy = cast(Message, inflate_object_from_contents(message.object_id, contents))
    copy.metadata.__dict__["_message_id"] = message.metadata.message_id
    return copy, size


def _lost_reply(message: Message) -> Message:
    reply = Message(Error(code=ErrorCode.NODE_UNAVAILABLE), reply_to=message)
    reply.metadata.__dict__["_src_node_id"] = SUPERLINK_NODE_ID
    return reply


def _no_fault(message: Message) -> None:
    return None


def _raise(message: Message, context: Context) -> NoReturn:
    raise RuntimeError("the site was told to fail")
