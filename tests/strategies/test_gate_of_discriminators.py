"""A discriminator leaves a site only where it was asked for, alone, and in its public form."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from toy_study import make_receipt

from simulations.grid import LocalGrid
from strategies import check_outgoing
from strategies.gate import find_problem
from strategies.protocol import ARRAYS, CONFIG, DISCRIMINATOR, RECEIPT, RETURNS_DISCRIMINATOR, TRAIN
from strategies.wire_field import Direction

LocalGrid(lambda message, context: message, 1)  # messages are made only inside a run
FORM = ArrayRecord({"layer": Array(np.zeros((2, 3), np.float32))})


def question(*, wants: bool = True) -> Message:
    generator = ArrayRecord({"anchors": Array(np.zeros(3, np.float32))})
    config = ConfigRecord({RETURNS_DISCRIMINATOR: wants})
    return Message(RecordDict({ARRAYS: generator, CONFIG: config}), 101, TRAIN)


def answer(**records: ArrayRecord) -> RecordDict:
    return RecordDict({**records, CONFIG: ConfigRecord({RECEIPT: make_receipt(0)})})


def judge(name: str = "layer", shape: tuple[int, ...] = (2, 3), value: float = 0.5) -> RecordDict:
    return answer(discriminator=ArrayRecord({name: Array(np.full(shape, value, np.float32))}))


def test_one_in_the_public_form_passes() -> None:
    check_outgoing(judge(), question(), discriminator=FORM)
    assert find_problem(judge(), TRAIN, Direction.UP) is None


@pytest.mark.parametrize(
    "content",
    [
        judge(name="413-rows"),
        judge(shape=(2, 413)),
        judge(value=np.nan),
        judge(value=413e6),
        answer(discriminator=ArrayRecord()),
        answer(),
        answer(arrays=FORM, discriminator=FORM),
        answer(arrays=question().content.array_records[ARRAYS]),
    ],
    ids=["name", "shape", "nan", "large", "empty", "nothing", "both", "a generator"],
)
def test_anything_else_stays(content: RecordDict) -> None:
    with pytest.raises(ValueError, match="must not leave the site") as caught:
        check_outgoing(content, question(), discriminator=FORM)
    assert "413" not in str(caught.value)


@pytest.mark.parametrize("form", [FORM, None])
def test_where_a_generator_was_asked_for_none_leaves(form: ArrayRecord | None) -> None:
    with pytest.raises(ValueError, match="must not leave the site: unexpected-key"):
        check_outgoing(judge(), question(wants=False), discriminator=form)


def test_without_a_form_to_hold_it_against_none_leaves() -> None:
    with pytest.raises(ValueError, match="must not leave the site: wrong-shape"):
        check_outgoing(judge(), question())
    assert DISCRIMINATOR in judge()
