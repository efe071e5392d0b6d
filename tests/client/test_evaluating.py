"""The evaluation of a site: charged before a row is read, once, on weights that are checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import (
    ask_evaluate,
    ask_sketch,
    be_inside_a_run,
    code_of,
    numbers_of,
    score_weights,
)
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA

from client import evaluating
from client.evaluating import noise_multipliers_of, release_evaluation
from client.incoming import build_score_network
from client.settings import StudyRequest
from client.site import Site
from client.sketching import release_sketch
from privacy import EVALUATION_SHARES, BudgetExceeded, Part, State, compute_epsilon
from strategies import protocol
from strategies.gate import find_problem
from strategies.protocol import CONFIG, EVALUATION, NOISE_OF, QUERY_EVALUATE, RECEIPT
from strategies.wire_field import Direction
from synthesis.evaluation import (
    EvaluationLayout,
    ScoreNetwork,
    compute_one_way,
)
from synthesis.units import Units

LAYOUT = EvaluationLayout.from_schema(SCHEMA)
Weights = dict[str, torch.Tensor]


make_weights = score_weights


def with_evaluation(**changes) -> StudyRequest:
    return make_request(evaluation=True, **changes)


def states_of(site: Site) -> list[tuple[State, str]]:
    return [(entry.state, entry.note) for entry in site.ledger.entries()[1:]]


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", holdout=0.3)


def test_the_ledger_holds_the_evaluation_before_a_row_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Part, list[tuple[State, str]]]] = []
    original = Site.read_units

    def watched(self: Site, part: Part) -> Units:
        seen.append((part, states_of(self)))
        return original(self, part)

    monkeypatch.setattr(Site, "read_units", watched)
    release_evaluation(site, with_evaluation(), make_weights())
    ((part, (*reserved, running)),) = seen
    assert part is Part.HOLD_OUT
    assert {state for state, _ in reserved} == {State.RESERVED}
    assert running == (State.RUNNING, "evaluation")


def test_three_events_on_the_hold_out_leave_epsilon_the_larger_of_the_parts(site: Site) -> None:
    """Nobody is in both parts, so a unit pays for its own."""
    release_evaluation(site, with_evaluation(), make_weights())
    events = site.ledger.events()
    held_out = [event for event in events if event.part is Part.HOLD_OUT]
    trained = [event for event in events if event.part is Part.TRAINING]
    assert [event.purpose for event in held_out] == list(EVALUATION_SHARES)
    parts = [compute_epsilon(part, 1e-5) for part in (held_out, trained)]
    assert site.ledger.epsilon() == pytest.approx(max(parts))
    assert 0.99 < min(parts) and max(parts) <= 1.0


def test_the_study_is_done_after_the_evaluation_and_not_before(site: Site) -> None:
    short = {"evaluation": True, "rounds": 0, "adversarial_share": 0.0}
    ask_sketch(site.folder.parent, **short)
    assert states_of(site)[-1] == (State.RUNNING, "sketch-kept")
    ask_evaluate(site.folder.parent, **short)
    assert states_of(site)[-3:] == [
        (State.RUNNING, "evaluation"),
        (State.RUNNING, "evaluation-kept"),
        (State.DONE, ""),
    ]


def test_only_hold_out_units_are_counted(site: Site) -> None:
    exact = evaluating._count_hold_out(site, LAYOUT, build_score_network(make_weights(), LAYOUT))
    held_out, trained = (site.read_units(part) for part in (Part.HOLD_OUT, Part.TRAINING))
    assert 0 < held_out.n_units < trained.n_units
    expected = compute_one_way(LAYOUT, held_out.codes, held_out.weights())
    np.testing.assert_array_equal(exact["evaluation-one-way"][0], expected)


def test_a_second_evaluation_is_refused_and_the_first_one_comes_again(site: Site) -> None:
    home = site.folder.parent
    first = numbers_of(ask_evaluate(home))
    before = site.ledger.head()
    assert numbers_of(ask_evaluate(home)) == first
    weights = {name: weight * 2 for name, weight in make_weights().items()}
    assert code_of(ask_evaluate(home, weights)) == "already-released"
    assert site.ledger.head() == before


def test_an_evaluation_that_could_not_read_the_table_may_begin_again(site: Site) -> None:
    """It drew nothing, and what was reserved pays for the one that leaves."""
    home, rows, away = site.folder.parent, site.folder / "rows.parquet", site.folder / "away"
    rows.rename(away)
    assert code_of(ask_evaluate(home)) == "local-failure"
    spent = site.ledger.epsilon()
    away.rename(rows)
    assert not ask_evaluate(home).has_error()
    assert site.ledger.epsilon() == spent


def test_an_evaluation_that_failed_for_an_unknown_reason_cannot_be_asked_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "gaussian_mechanism", fail)
        assert code_of(ask_evaluate(site.folder.parent)) == "local-failure"
    assert code_of(ask_evaluate(site.folder.parent)) == "already-released"


def test_an_evaluation_that_was_not_reserved_is_refused_unread(site: Site) -> None:
    (site.folder / "rows.parquet").unlink()
    with pytest.raises(ValueError, match="not reserved"):
        release_evaluation(site, make_request(), make_weights())
    assert states_of(site) == []


def test_a_study_reserved_without_an_evaluation_gets_none_later(site: Site) -> None:
    release_sketch(site, make_request())
    with pytest.raises(ValueError, match="other events or details"):
        release_evaluation(site, with_evaluation(), make_weights())


def test_a_site_without_budget_reads_nothing(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s", epsilon=0.5, holdout=0.3)
    (site.folder / "rows.parquet").unlink()
    with pytest.raises(BudgetExceeded):
        release_evaluation(site, with_evaluation(), make_weights())


def test_noise_has_the_size_of_the_plan(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    request = with_evaluation()
    planned = noise_multipliers_of(request.make_plan())
    sensitivity = {
        "evaluation-one-way": LAYOUT.one_way_sensitivity,
        "evaluation-two-way": LAYOUT.two_way_sensitivity,
        "evaluation-scores": 1.0,
    }
    network = ScoreNetwork(LAYOUT, rng=torch.Generator().manual_seed(0))
    network.load_state_dict(make_weights())
    exact = {p: c for p, (c, _) in evaluating._count_hold_out(site, LAYOUT, network).items()}
    release = release_evaluation(site, request, make_weights())
    assert release.noise_multipliers == planned
    for purpose, counts in release.counts.items():
        noise = counts - exact[purpose]
        expected = planned[purpose] * sensitivity[purpose]
        assert noise.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * len(noise)))
        assert abs(noise.mean()) < 5 * expected / np.sqrt(len(noise))


def test_releases_and_studies_have_noise_of_their_own(tmp_path: Path) -> None:
    def noise_of(name: str, study: str) -> list[np.ndarray]:
        site = write_site(tmp_path / f"{name}-{study}", name=name, holdout=0.3)
        release = release_evaluation(site, with_evaluation(study_id=study), make_weights())
        exact = evaluating._count_hold_out(
            site, LAYOUT, build_score_network(make_weights(), LAYOUT)
        )
        return [release.counts[p][:40] - exact[p][0][:40] for p in release.counts]

    noise = [*noise_of("a", "one"), *noise_of("b", "one"), *noise_of("a", "two")]
    assert np.abs(np.corrcoef([each[:36] for each in noise]) - np.eye(9)).max() < 0.6


def test_an_answer_holds_listed_fields_only(site: Site) -> None:
    home = site.folder.parent
    reply = ask_evaluate(home)
    assert find_problem(reply.content, QUERY_EVALUATE, Direction.UP) is None
    assert set(reply.content.array_records[EVALUATION]) == set(NOISE_OF)
    assert set(reply.content.config_records[CONFIG]) == {RECEIPT, *NOISE_OF.values()}


def spoil(name: str, value: float) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[name] = weights[name].clone()
        weights[name].view(-1)[0] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        spoil("layers.0.weight", np.nan),
        spoil("edges", np.inf),
        lambda weights: weights.pop("edges"),
        lambda weights: weights.pop("layers.0.bias"),
        lambda weights: weights.update(more=weights["edges"]),
        lambda weights: weights.update(edges=weights["edges"][:-1]),
        lambda weights: weights.update({"layers.0.bias": torch.zeros(0)}),
        lambda weights: weights.update({"layers.0.bias": torch.zeros(2, 2)}),
        lambda weights: weights.update({"layers.0.bias": torch.tensor(1.0)}),
        lambda weights: weights.update({"layers.0.weight": torch.zeros(64, 3)}),
    ],
)
def test_weights_that_fit_no_network_cost_nothing(
    site: Site, change: Callable[[Weights], None]
) -> None:
    weights = make_weights()
    change(weights)
    assert code_of(ask_evaluate(site.folder.parent, weights)) == "malformed"
    assert states_of(site) == []


@pytest.mark.parametrize("value", [1, 0.0, "true"])
def test_the_setting_is_a_flag_and_nothing_else(value: object) -> None:
    with pytest.raises(ValueError, match=protocol.EVALUATION):
        make_request(evaluation=value)
