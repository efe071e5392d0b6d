from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from toy_study import make_receipt

from strategies.arrays import ArraySpec
from strategies.protocol import ARRAYS, CONFIG, QUERY_HELLO, RECEIPT, TRAIN
from strategies.validation import Rejection, Reply, check_reply, specs_of

TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


def make_reply(kind: str, content: RecordDict) -> Message:
    return Message(content, reply_to=Message(RecordDict(), 101, kind))


def make_train_reply(array: Array) -> Message:
    config = ConfigRecord({RECEIPT: make_receipt(0)})
    return make_reply(TRAIN, RecordDict({ARRAYS: ArrayRecord({"weight": array}), CONFIG: config}))


@given(
    array=npst.arrays(
        dtype=np.float32,
        shape=npst.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    is_transposed=st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_what_was_sent_is_what_is_read(array: np.ndarray, is_transposed: bool) -> None:
    sent = array.T if is_transposed else array
    reply = check_reply(
        make_train_reply(Array(sent)), record=ARRAYS, expected=specs_of({"weight": Array(sent)})
    )
    assert isinstance(reply, Reply)
    read = reply.arrays["weight"]
    np.testing.assert_array_equal(read, sent)
    assert read.dtype == sent.dtype
    assert read.flags.writeable


@given(data=st.binary(max_size=200), head=st.integers(0, 130), at=st.integers(0, 150))
@settings(deadline=None, max_examples=200)
def test_no_bytes_make_the_check_raise(data: bytes, head: int, at: int) -> None:
    good = Array(np.ones(4, np.float32)).data
    for blob in (data, good[:head] + data, good[:at] + data[:1] + good[at + 1 :]):
        array = Array(dtype="float32", shape=(4,), stype="numpy.ndarray", data=blob)
        expected = {"weight": ArraySpec(shape=(4,))}
        checked = check_reply(make_train_reply(array), record=ARRAYS, expected=expected)
        assert isinstance(checked, Reply | Rejection)
        if isinstance(checked, Reply):
            assert np.all(np.isfinite(checked.arrays["weight"]))


def test_norm_is_taken_over_all_arrays_around_what_was_sent() -> None:
    reply = make_train_reply(Array(np.array([13.0, 14.0], np.float32)))
    expected = {"weight": ArraySpec(shape=(2,))}
    around = {"weight": np.array([10.0, 10.0], np.float32)}

    def accepted(max_norm: float) -> bool:
        checked = check_reply(
            reply, record=ARRAYS, expected=expected, max_norm=max_norm, around=around
        )
        return isinstance(checked, Reply)

    assert accepted(5.0)
    assert not accepted(4.99)


def test_norm_of_the_largest_numbers_does_not_overflow() -> None:
    reply = make_train_reply(Array(np.full(2, np.finfo(np.float32).max)))
    expected = {"weight": ArraySpec(shape=(2,))}
    checked = check_reply(reply, record=ARRAYS, expected=expected, max_norm=1e38)
    assert checked == Rejection(code="norm-too-large")
    assert isinstance(check_reply(reply, record=ARRAYS, expected=expected), Reply)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_only_single_precision_is_read(dtype: type) -> None:
    reply = make_train_reply(Array(np.ones(2, dtype)))
    expected = {"weight": ArraySpec(shape=(2,), dtypes=("float32", "float64"))}
    assert check_reply(reply, record=ARRAYS, expected=expected) == Rejection(code="wrong-dtype")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rows": 413}, "unexpected-key"),
        ({"accepted": 1}, "wrong-type"),
        ({"accepted": "yes"}, "wrong-type"),
        ({"refusal-code": "age is 91"}, "value-not-allowed"),
        ({"schema-digest": "413"}, "value-not-allowed"),
        ({"software-version": "0.1 413 rows"}, "value-not-allowed"),
        ({"public-key": "413"}, "value-not-allowed"),
        ({"receipt": "413"}, "value-not-allowed"),
        ({"unit": "413"}, "value-not-allowed"),
        ({"unit-count": -1}, "value-not-allowed"),
        ({"policy-max-rounds": 10**12}, "value-not-allowed"),
        ({"policy-max-epsilon-per-study": float("inf")}, "not-finite"),
    ],
)
def test_a_hello_says_nothing_but_what_is_listed(changes: dict[str, object], code: str) -> None:
    answer = {
        "schema-digest": "0" * 64,
        "software-version": "0.1.0",
        "accepted": True,
        "refusal-code": "none",
        "public-key": "0" * 64,
        "receipt": make_receipt(0),
        "unit": "record",
        "policy-max-epsilon-per-study": 1.0,
        "policy-smallest-noise-multiplier": 0.3,
        "policy-max-rounds": 10,
    }
    fine = make_reply(QUERY_HELLO, RecordDict({CONFIG: ConfigRecord(dict(answer))}))
    assert check_reply(fine) == Reply(config=answer)
    bad = make_reply(QUERY_HELLO, RecordDict({CONFIG: ConfigRecord(answer | changes)}))
    assert check_reply(bad) == Rejection(code=code)
