"""Studies by every strategy: they end, they resume bit for bit, and a bad site is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, Context, Message
from stages import but_for
from tiny_sites import make_study, write_site
from tiny_world import SCHEMA, draw_codes

from client.app import app
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.outcome import StudyOutcome
from server.report import build_strategy
from server.study import Study
from simulations.benchmarks.robustness import ATTACKS, make_bad_app
from simulations.grid import LocalGrid
from strategies.protocol import QUERY_SKETCH, SKETCH, STATISTICS
from strategies.robust_sketch import LEVEL
from strategies.rules import RULES
from synthesis import decode, write_table
from synthesis.layout import SketchLayout

Client = Callable[[Message, Context], Message]


ROBUST = [name for name, rule in RULES.items() if "bad_sites" in rule.usual]
LAYOUT = SketchLayout.from_schema(SCHEMA)


class Died(BaseException):
    """The coordinator's process is gone."""


def study_of(name: str, **changes: Any) -> Study:
    given = {"bad_sites": 1} if name in ROBUST else {}
    minimum = max(3, RULES[name].fewest_sites(1))
    return make_study(**({"strategy": name, "minimum_sites": minimum} | given | changes))


def write(home: Path, number: int, **more: Any) -> Path:
    for i in range(number):
        write_site(home / f"site-{i + 1}", rows=120 + 17 * i, seed=i, **more)
    return home


def write_unlike(home: Path, number: int) -> Path:
    """The second site's people lean the other way; what can be told of them is hardly noisy."""
    for i in range(number):
        folder = home / f"site-{i + 1}"
        write_site(folder, seed=i, epsilon=20.0)
        codes = draw_codes(400 + 17 * i, i)
        if i == 1:
            codes[:, 1:] = np.array(SCHEMA.sizes)[1:] - 1 - codes[:, 1:]
        write_table(decode(SCHEMA, codes, np.random.default_rng(i)), folder / "rows.parquet")
    return home


def run(
    home: Path,
    study: Study,
    number: int,
    *,
    client: Client = app,
    checkpoint: Checkpoint | None = None,
    events: list[Mapping[str, Any]] | None = None,
) -> StudyOutcome:
    grid = LocalGrid(client, number, run_config={"sites-dir": str(home)})
    return Coordinator(
        study,
        SCHEMA,
        num_sites=number,
        checkpoint=checkpoint,
        on_event=None if events is None else events.append,
    ).run(grid)


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])


@pytest.mark.parametrize("name", but_for(RULES, "fedadam"))
def test_a_coordinator_killed_in_the_second_round_ends_with_the_same_generator(
    tmp_path: Path, name: str
) -> None:
    study = study_of(name)
    number = study.minimum_sites
    expected = run(write(tmp_path / "a", number), study, number)
    home, left = write(tmp_path / "b", number), [3 * number + 2]

    def dies(message: Message, context: Context) -> Message:
        reply = app(message, context)
        left[0] -= 1
        if left[0] == 0:
            raise Died
        return reply

    with pytest.raises(Died):
        run(home, study, number, client=dies, checkpoint=Checkpoint(tmp_path / "kept"))
    checkpoint = Checkpoint(tmp_path / "kept")
    assert [record.changed for record in checkpoint.find_rounds().records] == [True]
    found = run(home, study, number, checkpoint=checkpoint)
    assert [record.changed for record in found.rounds] == [True, True]
    assert torch.isfinite(weights_of(found)).all()
    assert torch.equal(weights_of(found), weights_of(expected))
    assert found.differing == expected.differing


@pytest.mark.slow
def test_strategies_give_different_generators(tmp_path: Path) -> None:
    """So the name in a study reaches the round."""
    found = []
    for name in RULES:
        few = {"discriminator_steps": 1, "generator_steps": 1}
        study = study_of(name, minimum_sites=7, epsilon=20.0, max_site_groups=1, **few)
        outcome = run(write_unlike(tmp_path / name, 7), study, 7)
        found.append(weights_of(outcome).numpy().tobytes())
    assert len(set(found)) == len(RULES)


def test_a_report_shows_what_each_site_counts_where_unlike_ones_are_discounted(
    tmp_path: Path,
) -> None:
    study = study_of("similarity", epsilon=20.0, max_site_groups=1)
    outcome = run(write_unlike(tmp_path, 3), study, 3)
    assert [record.changed for record in outcome.rounds] == [True, True]
    names = {101: "west", 102: "north", 103: "east"}
    found = build_strategy(study, outcome, names).weights
    assert [each.name for each in found] == ["east", "north", "west"]
    for shares in ([each.declared for each in found], [each.used for each in found]):
        assert sum(shares) == pytest.approx(1)
    parts = [each.used / each.declared for each in found]
    assert parts[1] < min(parts[0], parts[2])
    assert build_strategy(study_of("fedavg"), outcome, names).weights == ()


def far_off(message: Message, context: Context) -> Message:
    """The second site's sketch is of another world."""
    reply = app(message, context)
    if message.metadata.message_type == QUERY_SKETCH and context.node_id == 102:
        blocks = [np.zeros(block.size, np.float32) for block in LAYOUT.blocks]
        for counts, block in zip(blocks, LAYOUT.blocks, strict=True):
            counts[-1] = 200 * block.scale  # all its rows in one cell
        reply.content[SKETCH] = ArrayRecord({STATISTICS: Array(np.concatenate(blocks))})
    return reply


@pytest.mark.parametrize("name", but_for(ROBUST, "trimmed-mean"))
def test_a_site_unlike_the_others_is_named_in_events_and_report(tmp_path: Path, name: str) -> None:
    study = study_of(name, epsilon=20.0)  # so that noise does not hide it
    number, events = study.minimum_sites, []
    outcome = run(
        write(tmp_path, number, epsilon=20.0), study, number, client=far_off, events=events
    )
    (told,) = [event for event in events if event["event"] == "sites-differ"]
    assert (102 in told["nodes"], told["level"]) == (True, LEVEL)
    assert outcome.differing == tuple(told["nodes"])
    strategy = build_strategy(study, outcome, {102: "north"})
    assert (strategy.name, strategy.bad_sites, strategy.level) == (name, 1, LEVEL)
    assert strategy.differing is not None and "north" in strategy.differing
    assert "north" in strategy.warnings[0]


def test_honest_sites_are_not_named_and_without_comparison_nobody_is(tmp_path: Path) -> None:
    study, events = study_of("median"), []
    outcome = run(write(tmp_path / "a", 3), study, 3, events=events)
    assert outcome.differing == ()
    assert build_strategy(study, outcome, {}).warnings == ()
    assert not [event for event in events if event["event"] == "sites-differ"]
    study = study_of("fedavg")
    outcome = run(write(tmp_path / "b", 3), study, 3, client=far_off, events=events)
    assert outcome.differing is None
    assert build_strategy(study, outcome, {}).differing is None
    assert not [event for event in events if event["event"] == "sites-differ"]


def test_a_report_says_when_more_sites_differ_than_the_strategy_stands(tmp_path: Path) -> None:
    study = study_of("median")
    outcome = run(write(tmp_path, 3), study, 3)
    few, many = (
        build_strategy(study, replace(outcome, differing=nodes), {}).warnings[0]
        for nodes in ((101,), (101, 103))
    )
    assert "little or not at all" in few
    assert "unlike each other" in many


@pytest.mark.parametrize("attack", but_for(ATTACKS))
def test_every_attack_of_the_benchmark_passes_all_checks(tmp_path: Path, attack: str) -> None:
    """Or it would be a rejected reply that is measured, and not a bad one."""
    rounds = 2 if attack == "stale update" else 1  # which sends that of an earlier round
    robust, plain = (study_of(name, rounds=rounds) for name in ("multi-krum", "fedavg"))
    bad = make_bad_app(attack, LAYOUT, 4)
    outcome = run(write(tmp_path / "a", 5), robust, 5, client=bad)
    assert all(record.valid == (101, 102, 103, 104, 105) for record in outcome.rounds)
    broken = run(write(tmp_path / "b", 5), plain, 5, client=make_bad_app(attack, LAYOUT, 4))
    honest = run(write(tmp_path / "c", 5), plain, 5)
    assert not torch.equal(weights_of(broken), weights_of(honest))
    assert outcome.nodes == honest.nodes


def test_a_study_says_before_anything_is_spent_that_sites_are_too_few() -> None:
    with pytest.raises(ValueError, match="minimum_sites must be at least 7 for strategy 'bulyan'"):
        make_study(strategy="bulyan", bad_sites=1, minimum_sites=6)
