"""What every rule must keep, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

import numpy as np
import pytest
from adding_sites import (
    BAD,
    START,
    average_judges,
    make_client_app,
    make_strategy,
    reply_with,
    run,
)
from flwr.app import Message
from hypothesis import given
from hypothesis import strategies as st

from server.checkpoint import Checkpoint
from simulations.grid import LocalGrid
from strategies.aggregation import FloatArray
from strategies.round_record import RoundRecord
from strategies.rules import RULES, MdGan, Rule, RuleSettings, check_rule, make_rule, usual_settings

Model = list[np.ndarray]
ROBUST = [name for name, rule in RULES.items() if "bad_sites" in rule.usual]
FOLDING = [name for name in RULES if name not in ROBUST]
STEPS = ["fedavgm", "fedadam", "fedyogi"]
SHAPES = ((3, 2), (4,), ())
every = pytest.mark.parametrize("name", RULES)


def make(name: str, bad: int = 1, **changes: float) -> Rule:
    given = dict(usual_settings(name)) | ({"bad_sites": bad} if name in ROBUST else {})
    rule = make_rule(name, RuleSettings(**(given | changes)))  # type: ignore[arg-type]
    if isinstance(rule, MdGan):
        rule.equip(average_judges, START)
    return rule


def draw(seed: int, scale: float = 1.0) -> Model:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(0, scale, shape), dtype=np.float32) for shape in SHAPES]


ORIGIN = draw(1000)


def combine(
    rule: Rule,
    replies: Iterable[tuple[int, Sequence[FloatArray]]],
    weights: Mapping[int, float] | None = None,
    start: Model = ORIGIN,
) -> list[FloatArray]:
    rule.begin(start, start)
    for node, model in replies:
        rule.add(node, model, 1.0 if weights is None else weights[node])
    return rule.finish()


def flat(model: Sequence[FloatArray]) -> np.ndarray:
    return np.concatenate([each.ravel() for each in model])


def several(number: int, seed: int = 0) -> list[tuple[int, Model]]:
    return [(100 + i, draw(seed + i)) for i in range(number)]


@every
def test_the_order_of_replies_changes_no_bit(name: str) -> None:
    replies = several(RULES[name].fewest_sites(1) + 1)
    weights = {node: 0.1 * (node - 98) for node, _ in replies}
    expected = flat(combine(make(name), replies, weights))
    rng = np.random.default_rng(0)
    for _ in range(20):
        order = [replies[i] for i in rng.permutation(len(replies))]
        assert flat(combine(make(name), order, weights)).tobytes() == expected.tobytes()


@every
def test_which_site_sent_what_changes_no_bit_where_all_weigh_the_same(name: str) -> None:
    models = [model for _, model in several(RULES[name].fewest_sites(1))]
    found = {
        flat(combine(make(name), enumerate(order))).tobytes()
        for order in list(permutations(models))[:: 1 if len(models) < 5 else 211]
    }
    assert len(found) == 1


@every
def test_replies_that_agree_are_the_result(name: str) -> None:
    """Of a server step, in the direction from the start to them."""
    reply = draw(7)
    found = flat(combine(make(name), [(node, reply) for node in range(8)]))
    if name in ("fedadam", "fedyogi"):
        assert np.array_equal(np.sign(found - flat(ORIGIN)), np.sign(flat(reply) - flat(ORIGIN)))
    else:
        np.testing.assert_allclose(found, flat(reply), rtol=1e-6)


@every
@pytest.mark.parametrize("bad", [1, 2])
def test_the_fewest_sites_are_enough_and_one_less_is_not(name: str, bad: int) -> None:
    fewest = RULES[name].fewest_sites(bad)
    rule = make(name, bad)
    assert rule.needs == fewest
    assert np.isfinite(flat(combine(rule, several(fewest)))).all()
    with pytest.raises(ValueError, match="need"):
        combine(make(name, bad), several(fewest - 1))


@every
def test_shapes_and_types_are_kept_and_nothing_of_a_void_round(name: str) -> None:
    rule = make(name)
    rule.begin(ORIGIN, ORIGIN)
    rule.add(1, [each + 1e6 for each in draw(0)], 1.0)  # and too few others came
    replies = several(8)
    found = combine(rule, replies)
    assert [each.shape for each in found] == [tuple(shape) for shape in SHAPES]
    assert all(each.dtype == np.float32 for each in found)
    assert flat(found).tobytes() == flat(combine(make(name), replies)).tobytes()


@every
@given(power=st.integers(-6, 6))
def test_a_scale_of_all_models_is_a_scale_of_the_result(name: str, power: int) -> None:
    """Not for steps of about the same size for every weight, whatever its updates."""
    if name in ("fedadam", "fedyogi"):
        return
    times, replies = np.float32(2.0**power), several(8)
    scaled = [(node, [times * each for each in model]) for node, model in replies]
    found = combine(make(name), scaled, start=[times * each for each in ORIGIN])
    np.testing.assert_allclose(flat(found), times * flat(combine(make(name), replies)), rtol=1e-5)


@pytest.mark.parametrize("name", FOLDING)
def test_weights_count_where_replies_are_folded_in(name: str) -> None:
    replies = several(3)
    alone = flat(combine(make(name), replies[:1]))
    weights = {100: 1.0, 101: 1e-12, 102: 1e-12}
    np.testing.assert_allclose(flat(combine(make(name), replies, weights)), alone, rtol=1e-5)
    doubled = {node: 2 * weight for node, weight in weights.items()}
    same = [flat(combine(make(name), replies, each)) for each in (weights, doubled)]
    assert same[0].tobytes() == same[1].tobytes()


@pytest.mark.parametrize("name", ROBUST)
def test_a_robust_rule_gives_each_site_one_voice(name: str) -> None:
    replies = several(8)
    heavy = {node: 1e9 if node == 103 else 1.0 for node, _ in replies}
    equal = flat(combine(make(name), replies))
    assert flat(combine(make(name), replies, heavy)).tobytes() == equal.tobytes()


LIES = {
    "far away": lambda honest, i: 1e5 * (1 + i) * np.ones_like(honest[0]),
    "the other way": lambda honest, i: -100.0 * honest.mean(0),
    "all the same": lambda honest, i: np.full_like(honest[0], -3e4),
    "one weight": lambda honest, i: honest[0] + 1e5 * (np.arange(honest.shape[1]) == i),
}


def lie(lies: str, number: int, bad: int) -> tuple[list[tuple[int, Model]], np.ndarray]:
    """Replies with so many bad ones among them, and the honest ones as rows."""
    honest = several(number - bad)
    rows = np.stack([flat(model) for _, model in honest])
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1]
    replies = list(honest)
    for i in range(bad):
        parts = np.split(LIES[lies](rows, i).astype(np.float32), ends)
        model = [part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True)]
        replies.insert(2 * i, (50 + i, model))
    return replies, rows


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("lies", LIES)
@pytest.mark.parametrize("bad", [1, 2, 3])
def test_bad_replies_leave_a_robust_rule_among_the_honest_ones(
    name: str, lies: str, bad: int
) -> None:
    replies, honest = lie(lies, RULES[name].fewest_sites(bad), bad)
    found = flat(combine(make(name, bad), replies))
    slack = 1e-4
    assert np.all(found >= honest.min(0) - slack) and np.all(found <= honest.max(0) + slack)


@pytest.mark.parametrize("name", ["fedavg", "fedavgm"])
@pytest.mark.parametrize("lies", LIES)
def test_one_bad_reply_of_eight_breaks_an_average(name: str, lies: str) -> None:
    replies, honest = lie(lies, 8, 1)
    found = flat(combine(make(name), replies))
    size = np.linalg.norm(honest, axis=1).max()
    assert np.linalg.norm(found - honest.mean(0)) > size


def test_more_bad_replies_than_were_asked_for_break_a_robust_rule() -> None:
    """So the suite above tells what stands from what does not."""
    for name in ROBUST:
        replies, honest = lie("all the same", 7, 4)
        found = flat(combine(make(name, 1), replies))
        assert np.any(found < honest.min(0) - 1)


@every
def test_a_study_that_goes_on_ends_as_one_that_never_stopped(name: str, tmp_path: object) -> None:
    """What ``state`` says goes through the checkpoint's file, and the rounds after are the same."""
    rounds = [several(8, seed=10 * i) for i in range(4)]
    whole, model = make(name), ORIGIN
    for replies in rounds:
        model = combine(whole, replies, start=model)
    checkpoint = Checkpoint(tmp_path)  # type: ignore[arg-type]
    first, half = make(name), ORIGIN
    for number, replies in enumerate(rounds[:2], 1):
        half = combine(first, replies, start=half)
        record = RoundRecord(
            server_round=number,
            changed=True,
            valid=(1,),
            rejected={},
            seconds=0.0,
            bytes_down=0,
            bytes_up=0,
        )
        weights = {str(i): np.asarray(each) for i, each in enumerate(half)}
        checkpoint.keep_round(record, weights, first.state)
    kept, second = checkpoint.find_rounds(), make(name)
    assert kept.weights is not None
    second.restore(kept.state)
    half = list(kept.weights.values())
    for replies in rounds[2:]:
        half = combine(second, replies, start=half)
    assert flat(half).tobytes() == flat(model).tobytes()
    assert bool(whole.state) == (name in [*STEPS, "mdgan"])


@every
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_reaches_a_rule(name: str, value: float) -> None:
    def spoil(message: Message, arrays: dict[str, np.ndarray]) -> Message:
        return reply_with(message, arrays | {"bias": np.full(3, value, np.float32)})

    number = RULES[name].fewest_sites(1) + 1
    nodes = tuple(range(101, 101 + number))
    strategy = make_strategy(rule=make(name), nodes=nodes, minimum_nodes=1)
    arrays = run(strategy, LocalGrid(make_client_app(spoil), number))
    assert [dict(r.rejected) for r in strategy.rounds] == [{BAD: "not-finite"}] * 2
    assert all(record.changed for record in strategy.rounds)
    assert all(np.isfinite(each).all() for each in arrays.values())


@pytest.mark.parametrize("name", ROBUST)
def test_a_round_with_fewer_replies_than_the_rule_needs_changes_nothing(name: str) -> None:
    number = RULES[name].fewest_sites(1)
    nodes = tuple(range(101, 101 + number))

    def spoil(message: Message, arrays: dict[str, np.ndarray]) -> Message:
        is_first = message.metadata.group_id == "1"
        wrong = np.full(3, np.nan, np.float32)
        return reply_with(message, arrays | ({"bias": wrong} if is_first else {}))

    strategy = make_strategy(rule=make(name), nodes=nodes, minimum_nodes=1)
    arrays = run(strategy, LocalGrid(make_client_app(spoil), number))
    assert [record.changed for record in strategy.rounds] == [False, True]
    assert np.all(arrays["bias"] <= START["bias"] + number)


@every
def test_a_rule_says_what_it_stands_and_which_settings_are_its_own(name: str) -> None:
    settings = RuleSettings(bad_sites=1)
    if name in ROBUST:
        fewest = RULES[name].fewest_sites(1)
        check_rule(name, settings, minimum_sites=fewest)
        with pytest.raises(ValueError, match=f"minimum_sites must be at least {fewest}"):
            check_rule(name, settings, minimum_sites=fewest - 1)
        with pytest.raises(ValueError, match="bad_sites must be at least 1"):
            check_rule(name, RuleSettings(), minimum_sites=100)
    else:
        with pytest.raises(ValueError, match="bad_sites must be left out"):
            check_rule(name, settings, minimum_sites=100)
    if name not in STEPS:
        with pytest.raises(ValueError, match="server_momentum must be left out"):
            make_rule(name, RuleSettings(server_momentum=0.5))


def test_a_rule_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"one of fedavg, fedavgm.* got 'fedsgd'"):
        make_rule("fedsgd", RuleSettings())
