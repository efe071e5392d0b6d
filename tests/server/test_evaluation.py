"""The evaluation over a grid: what it finds, whom it leaves out, and that it ends no study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from tiny_sites import make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.site import load_site
from privacy import Part, State
from server.app import Coordinator
from server.outcome import Evaluation, StudyOutcome
from server.report import ExactFigures, build_evaluation
from simulations.grid import Fault, LocalGrid
from strategies.aggregation import pool_by_noise
from strategies.protocol import CONFIG, EVALUATION, NOISE_OF, QUERY_EVALUATE

LAST = 103
NO_ROUNDS = {"rounds": 0, "adversarial_share": 0.0}  # an evaluation needs a sketch alone
Twist = Callable[[RecordDict], None]


def run(home: Path, client=app, fault_of=None, **changes) -> StudyOutcome:
    grid = LocalGrid(client, 3, run_config={"sites-dir": str(home)}, fault_of=fault_of)
    study = make_study(**{"evaluation": True} | changes)
    return Coordinator(study, SCHEMA, num_sites=3).run(grid)


def evaluation_of(outcome: StudyOutcome) -> Evaluation:
    assert outcome.evaluation is not None
    return outcome.evaluation


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_sites(tmp_path, holdout=0.5)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    """A study that nothing disturbs, for those that only look at it."""
    home = tmp_path_factory.mktemp("whole")
    write_sites(home, holdout=0.5)
    return home, evaluation_of(run(home))


@pytest.fixture(scope="module")
def without_last(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    home = tmp_path_factory.mktemp("without-last")
    write_sites(home, holdout=0.5)
    return evaluation_of(run(home, fault_of=lost(LAST)))


def test_a_study_ends_with_figures_of_its_hold_outs(whole: tuple[Path, Evaluation]) -> None:
    home, found = whole
    assert found.nodes == (101, 102, 103) and not found.rejected
    assert found.figures is not None
    sites = [load_site(home / f"site-{number + 1}", is_simulated=True) for number in range(3)]
    units = sum(site.read_units(Part.HOLD_OUT).n_units for site in sites)
    assert found.figures.units.low <= units <= found.figures.units.high
    assert set(found.noise_stds) == set(NOISE_OF)
    for site in sites:
        ledger = site.ledger
        assert ledger.entries()[-1].state is State.DONE
        assert sum(event.part is Part.HOLD_OUT for event in ledger.events()) == 3
        assert 0.99 < ledger.epsilon() <= 1.0


def test_a_study_without_an_evaluation_asks_for_none(home: Path) -> None:
    grid = LocalGrid(app, 3, run_config={"sites-dir": str(home)})
    outcome = Coordinator(make_study(), SCHEMA, num_sites=3).run(grid)
    assert outcome.evaluation is None
    assert QUERY_EVALUATE not in {delivery.message_type for delivery in grid.deliveries}
    assert load_site(home / "site-1", is_simulated=True).ledger.entries()[-1].state is State.DONE


def test_the_same_seed_gives_the_same_figures(whole: tuple[Path, Evaluation], home: Path) -> None:
    _, found = whole
    assert evaluation_of(run(home)).figures == found.figures


def lost(*nodes: int) -> Callable[[Message], Fault | None]:
    def find(message: Message) -> Fault | None:
        at = message.metadata
        is_lost = at.message_type == QUERY_EVALUATE and at.dst_node_id in nodes
        return Fault.LOST if is_lost else None

    return find


def test_a_site_that_does_not_answer_is_left_out(without_last: Evaluation) -> None:
    found = without_last
    assert found.nodes == (101, 102)
    assert dict(found.rejected) == {LAST: "node-unavailable"}
    assert found.figures is not None


def test_too_few_answers_leave_the_generator_and_no_figures(home: Path) -> None:
    outcome = run(home, fault_of=lost(102, LAST))
    assert evaluation_of(outcome).figures is None
    assert evaluation_of(outcome).nodes == (101,)
    weights = torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])
    assert torch.isfinite(weights).all() and all(record.changed for record in outcome.rounds)


class Twisted:
    """The real ClientApp, with the last site's evaluation changed on its way out."""

    def __init__(self, twist: Twist) -> None:
        self.twist = twist

    def __call__(self, message: Message, context: Context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type != QUERY_EVALUATE or context.node_id != LAST:
            return reply
        content = reply.content
        self.twist(content)
        return Message(content, reply_to=message)


def change_counts(purpose: str, change: Callable[[np.ndarray], np.ndarray]) -> Twist:
    def twist(content: RecordDict) -> None:
        counts = {name: a.numpy().copy() for name, a in content.array_records[EVALUATION].items()}
        counts[purpose] = np.ascontiguousarray(change(counts[purpose]))
        content[EVALUATION] = ArrayRecord({name: Array(c) for name, c in counts.items()})

    return twist


def state_noise(value: float) -> Twist:
    def twist(content: RecordDict) -> None:
        config = dict(content.config_records[CONFIG])
        content[CONFIG] = ConfigRecord(config | {NOISE_OF["evaluation-scores"]: value})

    return twist


def drop(content: RecordDict) -> None:
    content.array_records[EVALUATION].pop("evaluation-scores")


NONSENSE: list[tuple[Callable[[np.ndarray], np.ndarray], str]] = [
    (lambda counts: np.append(counts[1:], np.float32(np.nan)), "not-finite"),
    (lambda counts: np.append(counts[1:], np.float32(np.inf)), "not-finite"),
    (lambda counts: np.append(counts[1:], np.float32(1e30)), "norm-too-large"),
    (lambda counts: counts[:-1], "wrong-shape"),
    (lambda counts: counts.reshape(1, -1), "wrong-shape"),
    (lambda counts: counts.astype(np.float64), "wrong-dtype"),
]
# By default every kind of nonsense in one release, and every release with two kinds.
CASES = [
    pytest.param(
        purpose, *kind, marks=[] if number % len(NOISE_OF) == place else [pytest.mark.slow]
    )
    for place, purpose in enumerate(NOISE_OF)
    for number, kind in enumerate(NONSENSE)
]


@pytest.mark.parametrize(("purpose", "change", "code"), CASES)
def test_nonsense_is_left_out(home: Path, purpose: str, change, code: str) -> None:
    found = evaluation_of(run(home, Twisted(change_counts(purpose, change)), **NO_ROUNDS))
    assert found.nodes == (101, 102)
    assert dict(found.rejected) == {LAST: code}
    assert found.figures is not None


@pytest.mark.parametrize("value", [0.0, -1.0, 1.0, 1e300, float("nan")])
def test_noise_that_the_plan_does_not_have_is_left_out(home: Path, value: float) -> None:
    """A site that states less would outweigh the others."""
    found = evaluation_of(run(home, Twisted(state_noise(value)), **NO_ROUNDS))
    assert found.nodes == (101, 102)


def test_a_missing_release_is_left_out(home: Path) -> None:
    found = evaluation_of(run(home, Twisted(drop), **NO_ROUNDS))
    assert dict(found.rejected) == {LAST: "missing-key"}


def test_pooling_the_same_noise_is_adding_up() -> None:
    values, noise_std = pool_by_noise([np.array([1.0, 2.0]), np.array([3.0, 5.0])], [2.0, 2.0])
    np.testing.assert_array_equal(values, [4.0, 7.0])
    assert noise_std == pytest.approx(8**0.5)


def test_pooling_lets_no_site_drown_the_others() -> None:
    values, noise_std = pool_by_noise([np.array([10.0]), np.array([1e6])], [1.0, 1e5])
    assert values[0] == pytest.approx(10.0, abs=1e-3)
    assert noise_std == pytest.approx(1.0, rel=1e-6)


def test_the_report_says_what_was_found_and_what_was_not(without_last: Evaluation) -> None:
    exact = ExactFigures(one_way=0.1, two_way=0.2, auc=0.7)
    found = without_last
    part = build_evaluation(found, {LAST: "east"}, exact)
    assert (part.asked, part.answered) == (3, 2)
    assert part.rejected[0].site == "east"
    assert [figure.kind for figure in part.figures] == ["one_way", "two_way", "auc"]
    assert [figure.exact for figure in part.figures] == [0.1, 0.2, 0.7]
    assert {noise.purpose for noise in part.noise} == set(NOISE_OF)
    missing = build_evaluation(
        Evaluation(nodes=(1,), rejected={}, synthetic=found.synthetic, network=found.network), {}
    )
    assert missing.units is None and missing.figures == () and missing.answered == 1
