"""Nothing leaves a site that the table does not list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from toy_study import client_app, make_server_app

from simulations.backends import run_local
from strategies import check_incoming, check_outgoing
from strategies.fields import FIELDS
from strategies.gate import find_problem
from strategies.protocol import (
    ANY_NAME,
    ARRAYS,
    CONFIG,
    MESSAGE_TYPES,
    QUERY_SKETCH,
    SKETCH,
    STATISTICS,
    TRAIN,
    RefusalCode,
)
from strategies.wire_field import Direction, WireType

TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


def test_every_field_has_one_row_and_a_reason() -> None:
    rows = [(f.message, f.direction, f.record, f.key) for f in FIELDS]
    assert len(rows) == len(set(rows))
    assert all(len(f.reason) > 20 for f in FIELDS)
    assert {f.message for f in FIELDS} == set(MESSAGE_TYPES)
    assert {(m, r, k) for m, _, r, k in rows} >= OPTIONAL


def test_strings_that_leave_a_site_come_from_short_public_alphabets() -> None:
    strings = [f for f in FIELDS if f.direction is Direction.UP and f.type is WireType.STRING]
    default = "pattern of FIELDS that only the coordinator's strings may use"
    assert all(f.pattern != FIELDS[0].pattern for f in strings), default


def test_refusals_fit_the_table() -> None:
    (row,) = [f for f in FIELDS if f.key == "refusal-code"]
    assert row.pattern.split("|") == [code.value for code in RefusalCode]


def test_real_messages_of_a_study_hold_listed_fields_only() -> None:
    seen: set[tuple[str, str, str, str]] = set()

    def watch(message: Message, context: Any) -> Message:
        reply = client_app(message, context)
        for direction, content in (("down", message.content), ("up", reply.content)):
            kind = message.metadata.message_type
            assert find_problem(content, kind, Direction(direction)) is None
            for record, values in content.items():
                for key in values:
                    name = ANY_NAME if record == ARRAYS else key
                    seen.add((kind, direction, record, name))
        return reply

    results: dict[str, Any] = {}
    server_app = make_server_app(results, num_sites=2, minimum=2)
    run = run_local(server_app, watch, 2, run_config={"toy": "yes"})
    assert run.failures == ()
    assert seen == {(f.message, f.direction.value, f.record, f.key) for f in FIELDS}


def train_request() -> Message:
    weights = ArrayRecord({"weight": Array(np.zeros(3, np.float32))})
    return Message(RecordDict({ARRAYS: weights}), 101, TRAIN)


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({ARRAYS: ArrayRecord({"413 rows": Array(np.zeros(3, np.float32))})}),
        RecordDict({ARRAYS: ArrayRecord({"weight": Array(np.zeros(413, np.float32))})}),
        RecordDict({ARRAYS: ArrayRecord({"weight": Array(np.zeros(3))})}),
        RecordDict(
            {
                ARRAYS: ArrayRecord({"weight": Array(np.zeros(3, np.float32))}),
                "metrics": MetricRecord({"num-examples": 413}),
            }
        ),
        RecordDict({"empty": ConfigRecord({})}),
        RecordDict(),
    ],
    ids=["name", "shape", "dtype", "metric", "empty record", "nothing"],
)
def test_outgoing_weights_are_like_those_that_came_in(content: RecordDict) -> None:
    with pytest.raises(ValueError, match="must not leave the site") as caught:
        check_outgoing(content, train_request())
    assert "413" not in str(caught.value)


def test_outgoing_sketch_is_a_flat_vector_with_finite_settings() -> None:
    request = Message(RecordDict(), 101, QUERY_SKETCH)

    def content(array: np.ndarray, epsilon: float) -> RecordDict:
        config = ConfigRecord({"noise-multiplier": 1.0, "plan-epsilon": epsilon})
        return RecordDict({SKETCH: ArrayRecord({STATISTICS: Array(array)}), CONFIG: config})

    check_outgoing(content(np.ones(4), 1.0), request)
    for bad in (content(np.ones((2, 2)), 1.0), content(np.ones(4), float("inf"))):
        with pytest.raises(ValueError, match="must not leave"):
            check_outgoing(bad, request)


def test_a_site_refuses_settings_it_does_not_know() -> None:
    request = train_request()
    request.content[CONFIG] = ConfigRecord({"epsilon": 1e9, "run": "rm -rf"})
    with pytest.raises(ValueError, match="refused: unexpected-key"):
        check_incoming(request)
