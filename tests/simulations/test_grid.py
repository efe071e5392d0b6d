from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from toy_study import client_app, make_server_app

from simulations.backends import run_local
from simulations.grid import Delivery, Fault, LocalGrid
from strategies import StudyFailed
from strategies.protocol import ARRAYS, TRAIN


def echo(message: Message, context: Context) -> Message:
    return Message(message.content, reply_to=message)


def make_train_message(grid: LocalGrid, node: int = 101, size: int = 4) -> Message:
    array = Array(np.arange(size, dtype=np.float32))
    return Message(RecordDict({ARRAYS: ArrayRecord({"weight": array})}), node, TRAIN, group_id="1")


def test_toy_study_runs_in_process() -> None:
    results: dict[str, Any] = {}
    deliveries: list[Delivery] = []
    run = run_local(
        make_server_app(results, num_sites=3, minimum=3),
        client_app,
        3,
        run_config={"toy": "yes"},
        on_delivery=deliveries.append,
    )
    assert run.failures == ()
    assert results["run_config"] == {"toy": "yes"}
    assert results["pooled"].noise_variance == 12.0
    np.testing.assert_array_equal(results["pooled"].values, np.full(5, 111.0))
    np.testing.assert_array_equal(results["arrays"]["layer.bias"], np.full(3, 5.0))
    assert [r.changed for r in results["rounds"]] == [True, True]
    assert run.deliveries == tuple(deliveries)
    kinds = [d.message_type for d in deliveries]
    asked = ["query.hello", "query.sketch", "train", "train", "query.evaluate"]
    asked += ["query.open", "query.close"]
    assert kinds == [kind for kind in asked for _ in range(3)]
    assert run.seconds < 5


def test_a_study_that_fails_raises_what_the_coordinator_raised() -> None:
    server_app = make_server_app({}, num_sites=3, minimum=3)
    with pytest.raises(StudyFailed, match="none of 2 rounds"):
        run_local(server_app, client_app, 3)  # sites miss their run config


def test_sites_share_nothing_with_each_other_or_the_coordinator() -> None:
    def spoil(message: Message, context: Context) -> Message:
        del message.content.array_records[ARRAYS]["weight"]
        return Message(RecordDict(), reply_to=message)

    grid = LocalGrid(spoil, 2)
    message = make_train_message(grid)
    other = Message(message.content, 102, TRAIN)
    list(grid.send_and_receive([message, other]))
    assert grid.failures == []
    assert "weight" in message.content.array_records[ARRAYS]


def test_bytes_are_counted_both_ways() -> None:
    grid = LocalGrid(echo, 1)
    list(grid.send_and_receive([make_train_message(grid, size=4)]))
    list(grid.send_and_receive([make_train_message(grid, size=1004)]))
    small, large = grid.deliveries
    assert large.bytes_down - small.bytes_down >= 4000
    assert large.bytes_up - small.bytes_up >= 4000
    assert small.bytes_up > 16


def test_each_node_keeps_its_own_state_and_number() -> None:
    def count(message: Message, context: Context) -> Message:
        number = np.float32(context.node_config["partition-id"])
        seen = context.state.array_records.get("seen")
        before = 0 if seen is None else seen["n"].numpy()
        context.state["seen"] = ArrayRecord({"n": Array(np.asarray(before + 10 + number))})
        return Message(RecordDict({"seen": context.state["seen"]}), reply_to=message)

    grid = LocalGrid(count, 2)
    replies: list[Message] = []
    for _ in range(2):
        replies = list(grid.send_and_receive([make_train_message(grid, n) for n in (101, 102)]))
    values = [float(r.content.array_records["seen"]["n"].numpy()) for r in replies]
    assert values == [20.0, 22.0]


def test_state_kept_before_a_failure_stays_as_at_a_real_site() -> None:
    def fail_later(message: Message, context: Context) -> Message:
        context.state["spent"] = ArrayRecord({"n": Array(np.ones(1))})
        raise RuntimeError("after spending")

    grid = LocalGrid(fail_later, 1)
    (reply,) = grid.send_and_receive([make_train_message(grid)])
    assert reply.error.reason == "local-failure"
    assert [node for node, _ in grid.failures] == [101]
    assert "spent" in grid._contexts[101].state


@pytest.mark.parametrize("fault", [Fault.RAISE, Fault.LATE, Fault.LOST])
def test_faults_are_marked_in_the_delivery(fault: Fault) -> None:
    grid = LocalGrid(echo, 1, fault_of=lambda m: fault)
    replies = list(grid.send_and_receive([make_train_message(grid)]))
    assert len(replies) == (0 if fault is Fault.LATE else 1)
    assert [d.failed for d in grid.deliveries] == [True]


def test_unknown_and_offline_nodes_are_unavailable() -> None:
    grid = LocalGrid(echo, 2)
    grid.offline = {102}
    assert list(grid.get_node_ids()) == [101]
    messages = [make_train_message(grid, 102), make_train_message(grid, 999)]
    assert {r.error.code for r in grid.send_and_receive(messages)} == {5}
