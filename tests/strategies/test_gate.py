"""Nothing leaves a site that the table does not list."""

from __future__ import annotations

import inspect
import re
from io import BytesIO
from math import isfinite
from typing import Any

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.supercore.task_identity import TaskIdentity
from toy_study import client_app, make_receipt, make_server_app, public_settings

from privacy import policy
from simulations.backends import run_local
from strategies import check_incoming, check_outgoing
from strategies.fields import FIELDS
from strategies.gate import find_problem
from strategies.protocol import (
    ANY_NAME,
    ARRAYS,
    CONFIG,
    DISCRIMINATOR,
    MESSAGE_TYPES,
    QUERY_HELLO,
    QUERY_SKETCH,
    RECEIPT,
    SERVER_ROUND,
    SKETCH,
    STATISTICS,
    TRAIN,
    UNIT_COUNT,
    RefusalCode,
)
from strategies.receipts import ReceiptBook
from strategies.wire_field import MOST_ELEMENTS, Basis, Direction, WireType

TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


def test_every_field_has_one_row_and_a_reason() -> None:
    rows = [(f.message, f.direction, f.record, f.key) for f in FIELDS]
    assert len(rows) == len(set(rows))
    assert all(len(f.reason) > 20 for f in FIELDS)
    assert {f.message for f in FIELDS} == set(MESSAGE_TYPES)


def test_strings_that_leave_a_site_come_from_short_public_alphabets() -> None:
    strings = [f for f in FIELDS if f.direction is Direction.UP and f.type is WireType.STRING]
    default = "pattern of FIELDS that only the coordinator's strings may use"
    assert all(f.pattern != r"[\w.+:-]{1,128}" for f in strings), default


def test_the_largest_sketches_of_a_thousand_sites_together_reach_every_site() -> None:
    """Else one site could end the rounds of all after they have paid."""
    up = next(f for f in FIELDS if (f.message, f.key) == ("query.sketch", "statistics"))
    down = next(f for f in FIELDS if (f.record, f.key) == ("pooled-sketch", "statistics"))
    assert down.high >= 1000 * up.high and down.low <= 1000 * up.low


def test_refusals_fit_the_table() -> None:
    (row,) = [f for f in FIELDS if f.key == "refusal-code"]
    assert row.pattern.split("|") == [code.value for code in RefusalCode]


def test_real_messages_of_a_study_hold_listed_fields_only() -> None:
    """Two studies with one book of receipts, for only the second hello brings a receipt back.

    In the second, sites answer with discriminators.
    """
    seen: set[tuple[str, str, str, str]] = set()

    def watch(message: Message, context: Any) -> Message:
        reply = client_app(message, context)
        for direction, content in (("down", message.content), ("up", reply.content)):
            kind = message.metadata.message_type
            assert find_problem(content, kind, Direction(direction)) is None
            for record, values in content.items():
                for key in values:
                    name = ANY_NAME if record in (ARRAYS, DISCRIMINATOR) else key
                    seen.add((kind, direction, record, name))
        return reply

    book = ReceiptBook()
    for is_central in (False, True):
        server_app = make_server_app(
            {}, num_sites=2, minimum=2, receipts=book, is_central=is_central
        )
        run = run_local(server_app, watch, 2, run_config={"toy": "yes"})
        assert run.failures == ()
    assert seen == {(f.message, f.direction.value, f.record, f.key) for f in FIELDS}


def test_every_number_that_leaves_is_bounded() -> None:
    numbers = (WireType.INTEGER, WireType.FLOAT, WireType.VECTOR, WireType.WEIGHTS)
    for field in FIELDS:
        if field.direction is Direction.UP and field.type in numbers:
            assert isfinite(field.low) and isfinite(field.high) and field.low < field.high


def test_every_row_names_its_basis_and_arrays_are_never_called_public() -> None:
    arrays = (WireType.VECTOR, WireType.WEIGHTS)
    assert all(isinstance(field.basis, Basis) for field in FIELDS)
    assert all((field.type in arrays) == (field.basis is not Basis.PUBLIC) for field in FIELDS)


def test_every_refusal_of_a_policy_has_its_code() -> None:
    """A rule without a code would leave the site as a failure that nobody understands."""
    source = inspect.getsource(policy)
    rules = set(re.findall(r'PolicyViolation\(\s*"(\w+)"', source)) | set(policy._NOT_GRANTED)
    codes = {code.removeprefix("policy-") for code in RefusalCode if code.startswith("policy-")}
    assert {rule.replace("_", "-") for rule in rules} == codes


def train_request() -> Message:
    weights = ArrayRecord({"weight": Array(np.zeros(3, np.float32))})
    return Message(RecordDict({ARRAYS: weights}), 101, TRAIN)


def train_reply(weights: Any, **config: Any) -> RecordDict:
    settings = ConfigRecord({RECEIPT: make_receipt(0)} | config)
    return RecordDict({ARRAYS: ArrayRecord(weights), CONFIG: settings})


def test_outgoing_weights_like_those_that_came_in_pass() -> None:
    check_outgoing(train_reply({"weight": Array(np.zeros(3, np.float32))}), train_request())


@pytest.mark.parametrize(
    "content",
    [
        train_reply({"413 rows": Array(np.zeros(3, np.float32))}),
        train_reply({"weight": Array(np.zeros(413, np.float32))}),
        train_reply({"weight": Array(np.zeros(3))}),
        train_reply({"weight": Array(np.zeros(3, np.float32))}, **{"num-examples": 413}),
        RecordDict(
            {
                **train_reply({"weight": Array(np.zeros(3, np.float32))}),
                "metrics": MetricRecord({"num-examples": 413}),
            }
        ),
        RecordDict({"empty": ConfigRecord({})}),
        RecordDict(),
    ],
    ids=["name", "shape", "dtype", "setting", "metric", "empty record", "nothing"],
)
def test_outgoing_weights_are_like_those_that_came_in(content: RecordDict) -> None:
    with pytest.raises(ValueError, match="must not leave the site") as caught:
        check_outgoing(content, train_request())
    assert "413" not in str(caught.value)


def blob(data: bytes, *, dtype: str = "float32", shape: tuple[int, ...] = (3,)) -> Array:
    return Array(dtype=dtype, shape=shape, stype="numpy.ndarray", data=data)


def huge_header() -> bytes:
    """The head of an array of as many elements as are allowed, without the elements."""
    stream = BytesIO()
    layout = {"descr": "<f4", "fortran_order": False, "shape": (MOST_ELEMENTS,)}
    np.lib.format.write_array_header_1_0(stream, layout)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        (Array(np.array([0, np.nan, 0], np.float32)), "not-finite"),
        (Array(np.array([0, 0, np.inf], np.float32)), "not-finite"),
        (Array(np.array([0, -np.inf, 0], np.float32)), "not-finite"),
        (Array(np.array([0, 1.1e6, 0], np.float32)), "value-not-allowed"),
        (Array(np.array([-1.1e6, 0, 0], np.float32)), "value-not-allowed"),
        (Array(np.zeros(3, np.float64)), "wrong-dtype"),
        (Array(np.zeros(3, np.int32)), "wrong-dtype"),
        (blob(Array(np.zeros(3)).data), "wrong-dtype"),
        (blob(Array(np.zeros(413, np.float32)).data), "wrong-shape"),
        (blob(b"413 rows"), "malformed"),
        (blob(Array(np.zeros(3, np.float32)).data + b"413 rows"), "malformed"),
        (blob(huge_header(), shape=(MOST_ELEMENTS,)), "malformed"),
        (blob(b"", shape=(MOST_ELEMENTS + 1,)), "wrong-shape"),
        (blob(b"", shape=(MOST_ELEMENTS, 2)), "wrong-shape"),
    ],
)
def test_no_value_of_an_array_passes_that_the_table_does_not_allow(
    weights: Array, code: str
) -> None:
    with pytest.raises(ValueError, match=f"must not leave the site: {code}"):
        check_outgoing(train_reply({"weight": weights}), train_request())
    request = train_request()
    request.content[ARRAYS] = ArrayRecord({"weight": weights})
    request.content[CONFIG] = public_settings(TRAIN)
    request.content[CONFIG][SERVER_ROUND] = 1
    with pytest.raises(ValueError, match=f"refused: {code}"):
        check_incoming(request)


def sketch_reply(array: np.ndarray, **changes: Any) -> RecordDict:
    public = {"noise-multiplier": 1.0, "plan-epsilon": 1.0, RECEIPT: make_receipt(0)}
    named = {key.replace("_", "-"): value for key, value in changes.items()}
    counts = ArrayRecord({STATISTICS: Array(array)})
    return RecordDict({SKETCH: counts, CONFIG: ConfigRecord(public | named)})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (sketch_reply(np.ones((2, 2), np.float32)), "wrong-shape"),
        (sketch_reply(np.ones(4)), "wrong-dtype"),
        (sketch_reply(np.full(4, 1.1e12, np.float32)), "value-not-allowed"),
        (sketch_reply(np.full(4, -1.1e12, np.float32)), "value-not-allowed"),
        (sketch_reply(np.ones(4, np.float32), plan_epsilon=float("inf")), "not-finite"),
        (sketch_reply(np.ones(4, np.float32), plan_epsilon=float("nan")), "not-finite"),
        (sketch_reply(np.ones(4, np.float32), plan_epsilon=-0.1), "value-not-allowed"),
        (sketch_reply(np.ones(4, np.float32), noise_multiplier=1.1e6), "value-not-allowed"),
        (sketch_reply(np.ones(4, np.float32), noise_multiplier=1), "wrong-type"),
        (sketch_reply(np.ones(4, np.float32), noise_multiplier=True), "wrong-type"),
        (sketch_reply(np.ones(4, np.float32), noise_multiplier=[1.0, 413.0]), "wrong-type"),
        (sketch_reply(np.ones(4, np.float32), receipt="413 rows"), "value-not-allowed"),
    ],
)
def test_outgoing_sketch_is_a_flat_vector_with_bounded_settings(
    content: RecordDict, code: str
) -> None:
    request = Message(RecordDict(), 101, QUERY_SKETCH)
    check_outgoing(sketch_reply(np.ones(4, np.float32)), request)
    with pytest.raises(ValueError, match=f"must not leave the site: {code}"):
        check_outgoing(content, request)


def hello_reply(**changes: Any) -> tuple[RecordDict, Message]:
    """A hello as a toy site gives it, and the question."""
    question = Message(RecordDict({CONFIG: public_settings(QUERY_HELLO)}), 101, QUERY_HELLO)
    context = Context(1, 101, {"partition-id": 0}, RecordDict(), {})
    answer = dict(client_app(question, context).content.config_records[CONFIG])
    named = {key.replace("_", "-"): value for key, value in changes.items()}
    return RecordDict({CONFIG: ConfigRecord(answer | named)}), question


@pytest.mark.parametrize(
    "change",
    [
        {"policy_max_rounds": -1},
        {"policy_max_rounds": 10**10},
        {"policy_max_rounds": 1.0},
        {"policy_max_epsilon_per_study": -1.0},
        {"policy_max_epsilon_per_study": 1e10},
        {"policy_smallest_noise_multiplier": float("nan")},
        {"unit_count": -1},
        {"unit_count": 10**10},
        {"unit_count": 412.5},
        {"unit": "rows: 413"},
        {"public_key": "0" * 63},
    ],
)
def test_outgoing_hello_stays_within_the_bounds(change: dict[str, Any]) -> None:
    check_outgoing(*hello_reply())
    with pytest.raises(ValueError, match="must not leave the site") as caught:
        check_outgoing(*hello_reply(**change))
    assert "41" not in str(caught.value)


def test_a_listed_key_stays_where_the_policy_withholds_it() -> None:
    with pytest.raises(ValueError, match="must not leave the site: unexpected-key"):
        check_outgoing(*hello_reply(), withheld=(UNIT_COUNT,))


def test_a_site_refuses_settings_it_does_not_know() -> None:
    request = train_request()
    request.content[CONFIG] = ConfigRecord({"epsilon": 1e9, "run": "rm -rf"})
    with pytest.raises(ValueError, match="refused: unexpected-key"):
        check_incoming(request)
