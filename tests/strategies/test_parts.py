"""A site improves the part of its group, and is averaged with the sites of its group alone."""

from __future__ import annotations

import numpy as np
import pytest
from adding_sites import START, average_judges, make_strategy, reply_with
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from simulations.grid import LocalGrid
from strategies.aggregation import FloatArray
from strategies.collect import arrays_of
from strategies.parts import PartedRule, Parts
from strategies.protocol import ARRAYS
from strategies.rules import RULES, MdGan, Rule, RuleSettings, make_rule, usual_settings
from strategies.wire_field import WireFormat
from strategies.wire_format import pack_answer, unpack

TWO = Parts([(101, 103), (102,)])


def make(name: str) -> Rule:
    usual = dict(usual_settings(name)) | (
        {"bad_sites": 1} if "bad_sites" in RULES[name].usual else {}
    )
    rule = make_rule(name, RuleSettings(**usual))  # type: ignore[arg-type]
    if isinstance(rule, MdGan):
        rule.equip(average_judges, START)
    return rule


def draw(seed: int, rows: int) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(np.float32) for shape in ((rows, 3), (2 * rows,))]


@pytest.mark.parametrize("name", RULES)
def test_every_part_is_what_its_rule_makes_of_its_own_nodes(name: str) -> None:
    """For two rounds, of which the second goes on from what was kept of the first."""
    several = RULES[name].fewest_sites(1)
    nodes = [tuple(range(several)), tuple(range(several, 2 * several + 1))]
    alone = [make(name), make(name)]
    parts = Parts(nodes)
    parted = PartedRule(parts, [make(name), make(name)])
    assert parted.needs == alone[0].needs
    whole = draw(1000, rows=4)
    for server_round in (1, 2):
        starts = parts.split_model(whole)
        parted.begin(whole, whole)
        expected = []
        for rule, start, group in zip(alone, starts, nodes, strict=True):
            rule.begin(start, start)
            for node in group:
                reply = draw(100 * server_round + node, rows=2)
                rule.add(node, reply, node + 1.0)
                parted.add(node, reply, node + 1.0)
            expected.append(rule.finish())
        whole = parted.finish()
        for number, found in enumerate(parts.split_model(whole)):
            for one, other in zip(found, expected[number], strict=True):
                assert np.array_equal(one, other)
        state = parted.state
        parted = PartedRule(parts, [make(name), make(name)])
        parted.restore(state)


def test_a_part_that_nobody_improves_stays_as_it_is() -> None:
    rule = PartedRule(Parts([(1,), (), (2,)]), [make("fedavg") for _ in range(3)])
    start = draw(0, rows=3)
    rule.begin(start, start)
    rule.add(1, draw(1, rows=1), 1.0)
    found = rule.finish()
    for array, first, was in zip(found, draw(1, rows=1), start, strict=True):
        assert np.array_equal(array, np.concatenate([first, was[len(first) :]]))


def test_a_node_has_one_part() -> None:
    with pytest.raises(ValueError, match="a node must have one part"):
        Parts([(1, 2), (2,)])


@pytest.mark.parametrize("wire_format", WireFormat)
def test_a_site_sees_its_part_alone_and_counts_in_full_there(wire_format: WireFormat) -> None:
    """Site i adds i + 1, or answers that it did: sites 0 and 2 move their part by 2, site 1 its."""
    seen: dict[int, list[int]] = {}
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        number = int(context.node_config["partition-id"])
        asked = message.content.array_records[ARRAYS]
        received = unpack(arrays_of(asked))
        seen[number] = [len(values) for values in received.values()]
        after = {name: values + np.float32(number + 1) for name, values in received.items()}
        answer = pack_answer(after, received, wire_format)
        return reply_with(message, arrays_of(answer))

    start = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.ones(4, np.float32)}
    strategy = make_strategy(
        parts=TWO, rule=PartedRule(TWO, [make("fedavg"), make("fedavg")]), wire_format=wire_format
    )
    record = ArrayRecord({name: Array(values) for name, values in start.items()})
    found = strategy.start(LocalGrid(app, 3), record, 1, train_config=ConfigRecord({})).arrays
    assert seen == {number: [1, 2] for number in range(3)}
    for name, values in arrays_of(found).items():
        np.testing.assert_allclose(values, start[name] + 2, atol=0.05)
