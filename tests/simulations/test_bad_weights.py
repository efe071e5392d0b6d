"""A bad site spoils what it means to spoil in every format on the wire."""

from __future__ import annotations

import numpy as np
import pytest
from asking import be_inside_a_run, make_message
from flwr.app import Context, Message, RecordDict

from simulations.benchmarks.robustness import attacks
from simulations.demos import load_demo
from strategies.collect import arrays_of
from strategies.protocol import ARRAYS, TRAIN
from strategies.wire_field import WireFormat
from strategies.wire_format import format_of, pack, pack_answer, unpack, unpack_answer
from synthesis.layout import SketchLayout

START = {"w": np.linspace(-1, 1, 64, dtype=np.float32)}


def change_by_a_hundredth(message: Message, context: Context) -> Message:
    record = message.content.array_records[ARRAYS]
    received = unpack(arrays_of(record))
    after = {name: values + np.float32(0.01) for name, values in received.items()}
    answer = pack_answer(after, received, format_of(record))
    return Message(RecordDict({ARRAYS: answer}), reply_to=message)


@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_a_hundred_times_the_update_is_that(
    wire_format: WireFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_inside_a_run()
    monkeypatch.setattr(attacks, "honest_app", change_by_a_hundredth)
    layout = SketchLayout.from_schema(load_demo("adult").schema)
    bad = attacks.make_bad_app("100 times the update", layout, 0)
    asked = pack(START, wire_format)
    question = make_message(TRAIN, {"server-round": 1, "rounds": 2}, **{ARRAYS: asked})
    context = Context(1, 101, {"partition-id": 0}, RecordDict(), {})
    answer = bad(question, context).content.array_records[ARRAYS]
    received = unpack(arrays_of(asked))
    found = unpack_answer(unpack(arrays_of(answer)), received, wire_format)
    np.testing.assert_allclose(found["w"] - received["w"], 1.0, atol=0.06)
