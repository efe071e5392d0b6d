"""Studies whose sites lack columns: what they refuse for free, and what comes of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message
from tiny_sites import Recorder, make_study, write_sites
from tiny_world import SCHEMA

from privacy import Ledger
from server.app import Coordinator, make_server_app
from server.outcome import StudyOutcome
from server.pooling import find_comparison, make_pool, pooled_of
from server.pooling.partial_pool import PartialSketchPool
from simulations.backends import run_local
from simulations.grid import LocalGrid
from strategies import StudyFailed, protocol
from strategies.collect import Answers
from strategies.protocol import CONFIG, POOLED_SKETCH, QUERY_HELLO, QUERY_SKETCH, STATISTICS
from strategies.rules import RuleSettings, make_rule
from strategies.validation import Rejection, Reply
from synthesis.coverage import coverage_of, coverage_size
from synthesis.layout import SketchLayout, compute_sketch

LAYOUT = SketchLayout.from_schema(SCHEMA)
TWO = {1: ("colour", "smokes")}


def run(home: Path, lacking, *, twist=None, **changes) -> tuple[StudyOutcome, Recorder]:
    write_sites(home, lacking=lacking)
    recorder = Recorder()
    grid = LocalGrid(twist or recorder, 3, run_config={"sites-dir": str(home)})
    return Coordinator(make_study(**changes), SCHEMA, num_sites=3).run(grid), recorder


def spent(home: Path) -> list[float]:
    return [Ledger.open(f / "ledger.sqlite").epsilon() for f in sorted(home.iterdir())]


def test_a_study_with_a_site_that_lacks_columns_runs_to_its_end(tmp_path: Path) -> None:
    outcome, recorder = run(tmp_path, TWO)
    assert outcome.missing == {102: ("colour", "smokes")}
    assert outcome.apart == ()
    assert [record.changed for record in outcome.rounds] == [True, True]
    assert all(record.valid == (101, 102, 103) for record in outcome.rounds)
    assert outcome.estimated_rows == pytest.approx(521, rel=0.6)
    assert outcome.groups == ((101, 102, 103),)
    assert outcome.comparison is not None
    assert all(0.99 < epsilon <= 1.0 for epsilon in spent(tmp_path))
    asked = [m for m, _ in recorder.seen if POOLED_SKETCH in m.content]
    pooled = asked[0].content.array_records[POOLED_SKETCH][STATISTICS].numpy()
    assert pooled.shape == (LAYOUT.dimension + coverage_size(LAYOUT),)


def test_pairs_that_no_site_has_together_are_named(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, {0: ("smokes",), 1: ("colour",), 2: ("smokes",)}, rounds=1)
    assert outcome.apart == (("colour", "smokes"),)


@pytest.mark.parametrize(
    ("lacking", "changes", "words"),
    [
        (dict.fromkeys(range(3), ("colour",)), {}, "no site tells anything of column 'colour'"),
        (
            TWO,
            {"strategy": "median", "bad_sites": 1, "minimum_sites": 3},
            "strategy median compares all cells",
        ),
        (TWO, {"evaluation": True}, "an evaluation asks for all columns"),
    ],
)
def test_what_cannot_be_is_refused_at_hello_for_free(
    tmp_path: Path, lacking, changes, words
) -> None:
    write_sites(tmp_path, lacking=lacking, holdout=0.3)
    recorder = Recorder()
    grid = LocalGrid(recorder, 3, run_config={"sites-dir": str(tmp_path)})
    with pytest.raises(StudyFailed, match=words) as failed:
        Coordinator(make_study(**changes), SCHEMA, num_sites=3).run(grid)
    assert "no budget was spent" in str(failed.value)
    assert {m.metadata.message_type for m, _ in recorder.seen} == {QUERY_HELLO}
    assert spent(tmp_path) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("told", ["2", "3,1", "1,1", "7", "0,1,3", "0,1"])
def test_a_declaration_that_fits_no_schema_ends_the_study_for_free(
    tmp_path: Path, told: str
) -> None:
    from client.app import app

    def lie(message: Message, context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == QUERY_HELLO and message.metadata.dst_node_id == 103:
            reply.content.config_records[CONFIG][protocol.MISSING_COLUMNS] = told
        return reply

    write_sites(tmp_path)
    grid = LocalGrid(lie, 3, run_config={"sites-dir": str(tmp_path)})
    with pytest.raises(StudyFailed, match="not features of the schema"):
        Coordinator(make_study(), SCHEMA, num_sites=3).run(grid)
    assert spent(tmp_path) == [0.0, 0.0, 0.0]


def test_a_study_ends_when_the_only_site_with_a_column_gives_no_sketch(tmp_path: Path) -> None:
    from client.app import app
    from strategies.protocol import error_reply

    def fail(message: Message, context) -> Message:
        at = message.metadata
        if at.message_type == QUERY_SKETCH and at.dst_node_id == 101:
            return error_reply(message)
        return app(message, context)

    write_sites(tmp_path, lacking={1: ("colour",), 2: ("colour",)})
    grid = LocalGrid(fail, 3, run_config={"sites-dir": str(tmp_path)})
    with pytest.raises(StudyFailed, match="no site tells anything of column 'colour'"):
        Coordinator(make_study(), SCHEMA, num_sites=3).run(grid)


def make_partial(missing) -> PartialSketchPool:
    pool = make_pool(
        LAYOUT,
        lambda node, number: None,
        make_rule("fedavg", RuleSettings()),
        least_noise=lambda epsilon: 0.5,
        most_groups=4,
        rng=np.random.default_rng(0),
        missing=missing,
    )
    assert isinstance(pool, PartialSketchPool)
    return pool


def reply_of(sketch: np.ndarray, noise: float = 1.0) -> Reply:
    config = {protocol.NOISE_MULTIPLIER: noise, protocol.PLAN_EPSILON: 1.0}
    return Reply(arrays={STATISTICS: sketch.astype(np.float32)}, config=config)


def noisy(codes: np.ndarray, lacking, seed: int, noise: float = 1.0) -> np.ndarray:
    layout = LAYOUT.lacking(lacking)
    sketch = compute_sketch(layout, codes)
    std = noise * layout.sensitivity
    told = layout.told_cells
    sketch[told] += np.random.default_rng(seed).normal(0, std, told.sum())
    return sketch


def test_a_sketch_that_tells_other_columns_than_it_said_does_not_count() -> None:
    from tiny_world import draw_codes

    codes, pool = draw_codes(200), make_partial({1: (1, 3)})
    for node, lacking in [(1, ()), (1, (1,)), (2, (1, 3))]:
        found = pool.take(node, reply_of(noisy(codes, lacking, 0)))
        assert isinstance(found, Rejection)
    assert isinstance(pool.take(1, reply_of(noisy(codes, (1, 3), 0))), Reply)
    assert isinstance(pool.take(2, reply_of(noisy(codes, (), 1))), Reply)


def test_sites_are_compared_on_what_they_have_in_common() -> None:
    """Alike sites look alike though one lacks columns; one that differs is found."""
    from tiny_world import draw_codes

    strange = draw_codes(2000, 9)
    strange[:, 0] = strange[::-1, 0]  # age leans on nothing any more
    found = []
    for last in (draw_codes(2000, 9), strange):
        pool = make_partial({3: (1,)})
        replies = {
            node: reply_of(noisy(codes, lacking, node))
            for node, codes, lacking in [
                (1, draw_codes(2000, 1), ()),
                (2, draw_codes(2000, 2), ()),
                (3, last, (1,)),
            ]
        }
        valid = {node: pool.take(node, reply) for node, reply in replies.items()}
        answers = pool.seal(
            Answers(valid=valid, rejected={}, seconds=0.0, bytes_down=0, bytes_up=0)
        )  # type: ignore[arg-type]
        compared = find_comparison(answers)
        assert compared is not None
        found.append(compared)
        coverage = coverage_of(LAYOUT, pooled_of(answers).coverage)
        assert coverage.find_apart(LAYOUT) == ()
    alike, differs = found
    assert 0.5 < alike.from_others[2] < 1.6 and not alike.conflicts.any()
    assert differs.from_others[2] > 3 and differs.conflicts[2].any()
    for each in found:  # colour, of which the third site tells nothing
        assert each.p_values[2][1] == 1.0 and each.distances[2][1] == 0.0


def test_other_studies_pool_as_before(tmp_path: Path) -> None:
    coordinator = Coordinator(make_study(), SCHEMA, num_sites=3)
    recorder = Recorder()
    write_sites(tmp_path)
    run_local(make_server_app(coordinator), recorder, 3, run_config={"sites-dir": str(tmp_path)})
    pooled = next(m for m, _ in recorder.seen if POOLED_SKETCH in m.content)
    shape = pooled.content.array_records[POOLED_SKETCH][STATISTICS].shape
    assert tuple(shape) == (LAYOUT.dimension,)
    assert coordinator.outcome is not None and coordinator.outcome.missing == {}
