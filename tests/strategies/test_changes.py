"""In 8 bits sites tell what they changed, and are believed about that and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from adding_sites import NODES, START, make_strategy, reply_with
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from simulations.grid import LocalGrid
from strategies.aggregation import FloatArray
from strategies.collect import arrays_of
from strategies.protocol import ARRAYS, RETURNS_DISCRIMINATOR
from strategies.rules import Judge, MdGan, RuleSettings, make_rule, usual_settings
from strategies.rules.rule import Model
from strategies.wire_field import WireFormat
from strategies.wire_format import format_of, pack, pack_answer, unpack


def answer_in_8_bits(change: Mapping[int, float]) -> ClientApp:
    """Site i changes every weight by ``change[i]``, beginning with what it reads."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        record = message.content.array_records[ARRAYS]
        assert format_of(record) is WireFormat.INT8
        received = unpack(arrays_of(record))
        step = np.float32(change[int(context.node_config["partition-id"])])
        after = {name: values + step for name, values in received.items()}
        answer = pack_answer(after, received, WireFormat.INT8)
        return reply_with(message, {name: array.numpy() for name, array in answer.items()})

    return app


def uneven_start() -> ArrayRecord:
    """Weights of which 8 bits keep two digits."""
    rng = np.random.default_rng(0)
    drawn = {name: rng.normal(size=a.shape).astype(np.float32) for name, a in START.items()}
    return ArrayRecord({name: Array(a) for name, a in drawn.items()})


@pytest.mark.parametrize("name", ["fedavg", "fedavgm", "similarity", "median"])
def test_what_sites_change_is_added_to_what_they_were_sent(name: str) -> None:
    """Also where the server takes the step."""
    given = dict(usual_settings(name)) | ({"bad_sites": 1} if name == "median" else {})
    start, found = uneven_start(), {}
    for change in (0.0, 1e-3):
        strategy = make_strategy(
            rule=make_rule(name, RuleSettings(**given)),  # type: ignore[arg-type]
            wire_format=WireFormat.INT8,
        )
        app = answer_in_8_bits(dict.fromkeys(range(3), change))
        result = strategy.start(LocalGrid(app, 3), start, 1, train_config=ConfigRecord({}))
        found[change] = arrays_of(result.arrays)
    for key, before in unpack(arrays_of(pack(arrays_of(start), WireFormat.INT8))).items():
        np.testing.assert_allclose(found[0.0][key], before, rtol=1e-6)
        np.testing.assert_allclose(found[1e-3][key] - before, 1e-3, rtol=0, atol=2e-6)


def test_in_8_bits_the_bound_is_on_what_a_site_changed() -> None:
    for bound, valid in ((0.2 * 9**0.5, NODES), (0.05 * 9**0.5, (101, 103))):
        strategy = make_strategy(wire_format=WireFormat.INT8, max_update_norm=bound)
        app = answer_in_8_bits({0: 0.01, 1: 0.1, 2: 0.01})
        strategy.start(LocalGrid(app, 3), uneven_start(), 1, train_config=ConfigRecord({}))
        assert strategy.rounds[0].valid == valid


def test_in_8_bits_a_discriminator_is_whole() -> None:
    app = ClientApp()
    judge = {"weight": np.full((2, 3), 4.0, np.float32), "bias": np.full(3, -2.0, np.float32)}

    @app.train()
    def train(message: Message, context: Context) -> Message:
        answer = pack(judge, WireFormat.INT8)
        return reply_with(message, {name: array.numpy() for name, array in answer.items()})

    def improve(start: Model, judges: Sequence[Judge], rounds: int) -> list[FloatArray]:
        for each in judges:
            for found, values in zip(each.model, judge.values(), strict=True):
                np.testing.assert_allclose(found, values, rtol=1e-3)
        return list(start)

    rule = MdGan(RuleSettings())
    rule.equip(improve, START)
    strategy = make_strategy(rule=rule, wire_format=WireFormat.INT8)
    start, asked = uneven_start(), ConfigRecord({RETURNS_DISCRIMINATOR: True})
    result = strategy.start(LocalGrid(app, 3), start, 1, train_config=asked)
    assert strategy.rounds[0].valid == NODES
    for name, values in arrays_of(start).items():  # nobody but the coordinator trains it
        np.testing.assert_array_equal(arrays_of(result.arrays)[name], values)
