"""What one bad site can do to a round: be recorded, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from io import BytesIO

import numpy as np
import pytest
from adding_sites import (
    BAD,
    NODES,
    START,
    Arrays,
    Spoil,
    make_client_app,
    make_strategy,
    reply_with,
    run,
)
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from simulations.grid import Fault, LocalGrid
from strategies import RefusalCode, StudyFailed, error_reply
from strategies.protocol import ARRAYS, CONFIG


def with_bias(arrays: Arrays, bias: np.ndarray) -> Arrays:
    return arrays | {"bias": bias}


def with_extra_record(message: Message, arrays: Arrays) -> Message:
    reply = reply_with(message, arrays)
    reply.content["metrics"] = MetricRecord({"num-examples": 413})
    return reply


def with_raw_data(message: Message, arrays: Arrays, data: bytes) -> Message:
    reply = reply_with(message, arrays)
    reply.content.array_records[ARRAYS]["bias"] = Array(
        dtype="float32", shape=(3,), stype="numpy.ndarray", data=data
    )
    return reply


def with_huge_header(message: Message, arrays: Arrays) -> Message:
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)}
    )
    return with_raw_data(message, arrays, stream.getvalue())


SPOILT: dict[str, tuple[Spoil, str]] = {
    "nan": (
        lambda m, a: reply_with(m, with_bias(a, np.full(3, np.nan, np.float32))),
        "not-finite",
    ),
    "infinite": (
        lambda m, a: reply_with(m, with_bias(a, np.full(3, np.inf, np.float32))),
        "not-finite",
    ),
    "wrong shape": (
        lambda m, a: reply_with(m, with_bias(a, np.ones(4, np.float32))),
        "wrong-shape",
    ),
    "scalar": (
        lambda m, a: reply_with(m, with_bias(a, np.array(1, np.float32))),
        "wrong-shape",
    ),
    "missing key": (lambda m, a: reply_with(m, {"weight": a["weight"]}), "missing-key"),
    "empty reply": (lambda m, a: Message(RecordDict(), reply_to=m), "missing-key"),
    "extra key": (lambda m, a: reply_with(m, a | {"rows": a["bias"]}), "unexpected-key"),
    "extra record": (with_extra_record, "unexpected-key"),
    "wrong dtype": (
        lambda m, a: reply_with(m, with_bias(a, np.ones(3, np.float64))),
        "wrong-dtype",
    ),
    "integers": (lambda m, a: reply_with(m, with_bias(a, np.ones(3, np.int64))), "wrong-dtype"),
    "huge norm": (
        lambda m, a: reply_with(m, with_bias(a, np.full(3, 1e30, np.float32))),
        "norm-too-large",
    ),
    "not an array": (lambda m, a: with_raw_data(m, a, b"\x80\x04K\x01."), "malformed"),
    "a header of 40 terabytes": (with_huge_header, "wrong-shape"),
    "cut short": (
        lambda m, a: with_raw_data(m, a, Array(a["bias"]).data[:-1]),
        "malformed",
    ),
    "records swapped": (
        lambda m, a: Message(RecordDict({ARRAYS: ConfigRecord({"bias": 1.0})}), reply_to=m),
        "wrong-type",
    ),
    "config added": (
        lambda m, a: Message(RecordDict({CONFIG: ConfigRecord({"rows": 413})}), reply_to=m),
        "unexpected-key",
    ),
    "refusal": (
        lambda m, a: error_reply(m, RefusalCode.BUDGET_EXCEEDED),
        "refused-budget-exceeded",
    ),
}


@pytest.mark.parametrize(("spoil", "code"), SPOILT.values(), ids=SPOILT.keys())
def test_one_bad_reply_is_recorded_and_left_out(spoil: Spoil, code: str) -> None:
    strategy = make_strategy()
    arrays = run(strategy, LocalGrid(make_client_app(spoil), 3))
    assert [dict(r.rejected) for r in strategy.rounds] == [{BAD: code}] * 2
    assert [r.valid for r in strategy.rounds] == [(101, 103)] * 2
    np.testing.assert_array_equal(arrays["bias"], np.full(3, 5.0))  # 1 + 2 * mean(1, 3)
    assert arrays["bias"].dtype == np.float32


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.RAISE, "refused-local-failure"),
        (Fault.LATE, "no-reply"),
        (Fault.LOST, "node-unavailable"),
    ],
)
def test_a_failing_site_is_recorded_and_left_out(fault: Fault, code: str) -> None:
    strategy = make_strategy()
    grid = LocalGrid(
        make_client_app(), 3, fault_of=lambda m: fault if m.metadata.dst_node_id == BAD else None
    )
    arrays = run(strategy, grid)
    assert [dict(r.rejected) for r in strategy.rounds] == [{BAD: code}] * 2
    np.testing.assert_array_equal(arrays["bias"], np.full(3, 5.0))


def test_a_site_that_went_offline_is_recorded_as_absent() -> None:
    strategy = make_strategy()
    grid = LocalGrid(make_client_app(), 3)
    grid.offline = {BAD}
    run(strategy, grid)
    assert [dict(r.rejected) for r in strategy.rounds] == [{BAD: "absent"}] * 2


def test_a_site_may_miss_one_round_and_come_back() -> None:
    strategy = make_strategy()
    grid = LocalGrid(
        make_client_app(),
        3,
        fault_of=lambda m: (
            Fault.LATE if (m.metadata.dst_node_id, m.metadata.group_id) == (BAD, "1") else None
        ),
    )
    run(strategy, grid)
    assert [r.valid for r in strategy.rounds] == [(101, 103), NODES]


def test_too_few_valid_replies_change_nothing_and_say_so() -> None:
    events: list[Mapping[str, object]] = []
    strategy = make_strategy(minimum_nodes=3, on_event=events.append)
    seen: list[Arrays] = []
    grid = LocalGrid(
        make_client_app(),
        3,
        fault_of=lambda m: (
            Fault.RAISE if (m.metadata.dst_node_id, m.metadata.group_id) == (BAD, "1") else None
        ),
    )
    initial = ArrayRecord({name: Array(a) for name, a in START.items()})
    result = strategy.start(
        grid,
        initial,
        2,
        evaluate_fn=lambda _, arrays: seen.append({k: a.numpy() for k, a in arrays.items()}),
    )
    assert [r.changed for r in strategy.rounds] == [False, True]
    np.testing.assert_array_equal(seen[1]["bias"], START["bias"])
    np.testing.assert_array_equal(result.arrays["bias"].numpy(), START["bias"] + 2)
    names = [event["event"] for event in events]
    assert names == ["round-started", "round-void", "round-started", "round-finished"]
    assert events[1]["rejected"] == {"102": "refused-local-failure"}


def test_a_study_without_a_valid_round_fails() -> None:
    strategy = make_strategy()
    grid = LocalGrid(make_client_app(), 3, fault_of=lambda m: Fault.RAISE)
    with pytest.raises(StudyFailed, match="none of 2 rounds had 2 valid replies") as caught:
        run(strategy, grid)
    assert "refused-local-failure" in caught.value.reason
    assert [r.changed for r in strategy.rounds] == [False, False]


def test_waiting_for_nodes_ends_at_the_deadline() -> None:
    strategy = make_strategy(deadline_s=0.2)
    grid = LocalGrid(make_client_app(), 3)
    grid.offline = {101, 102}
    started = time.monotonic()
    with pytest.raises(StudyFailed, match=r"1 of at least 2 sites were online after 0\.2 s"):
        run(strategy, grid)
    assert time.monotonic() - started < 2


def test_messages_die_with_the_round() -> None:
    strategy = make_strategy(deadline_s=7.0)
    grid = LocalGrid(make_client_app(), 3)
    initial = ArrayRecord({name: Array(a) for name, a in START.items()})
    messages = list(strategy.configure_train(1, initial, ConfigRecord(), grid))
    assert {m.metadata.ttl for m in messages} == {7.0}


def test_declared_weights_are_used_and_renormalised() -> None:
    strategy = make_strategy(weights={101: 1.0, 102: 5.0, 103: 3.0})
    grid = LocalGrid(
        make_client_app(),
        3,
        fault_of=lambda m: Fault.LATE if m.metadata.dst_node_id == BAD else None,
    )
    arrays = run(strategy, grid, num_rounds=1)
    np.testing.assert_allclose(arrays["bias"], 1 + (1 * 1 + 3 * 3) / 4)


def test_a_site_that_suggests_a_huge_size_for_itself_does_not_end_the_study() -> None:
    def shout(message: Message, arrays: ArrayRecord) -> Message:
        return reply_with(message, with_bias(arrays, np.full(3, 5e3, np.float32)))

    strategy = make_strategy(weights={101: 1.0, BAD: 1e15, 103: 1.0})
    arrays = run(strategy, LocalGrid(make_client_app(shout), 3), num_rounds=1)
    assert strategy.rounds[0].valid == (101, BAD, 103)
    np.testing.assert_allclose(arrays["bias"], 5e3)


def test_no_error_text_reaches_the_coordinator() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise ValueError("patient 4711 has a salary of 123456")

    grid = LocalGrid(app, 3)
    strategy = make_strategy()
    messages = strategy.configure_train(
        1, ArrayRecord({"bias": Array(START["bias"])}), ConfigRecord(), grid
    )
    replies = list(grid.send_and_receive(messages))
    assert {r.error.reason for r in replies} == {"local-failure"}
    assert "4711" in str(grid.failures[0][1])  # kept in the simulation's own process


@pytest.mark.parametrize(
    "settings",
    [
        {"minimum_nodes": 0},
        {"minimum_nodes": 4},
        {"deadline_s": 0.0},
        {"deadline_s": float("nan")},
        {"max_update_norm": 0.0},
        {"weights": {101: 1.0}},
        {"weights": dict.fromkeys(NODES, -1.0)},
        {"weights": dict.fromkeys(NODES, float("inf"))},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        make_strategy(**settings)
