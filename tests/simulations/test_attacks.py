"""Attacks in a simulation: whom they are tried with, what they find, and where they must win."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY
from tiny_sites import make_study
from visits import draw_visits, write_visits

import fedsynth
from privacy import GaussianEvent
from server.report import Attack
from simulations.attacks import match_rows, try_attacks
from simulations.attacks.insider import INSIDER, Insider
from simulations.attacks.matching import MatchedRows, read_held, read_trained
from simulations.attacks.promise import Promise
from simulations.demos import load_demo
from simulations.settings import SimulationSettings
from simulations.simulate import SimulationResult
from simulations.sites import make_sites, write_sites
from synthesis.architecture import GeneratorSettings
from synthesis.attacks import Records, Trial
from synthesis.discriminator import Discriminator
from synthesis.encoding import encode
from synthesis.generator import Generator


@pytest.fixture(scope="module")
def attacked() -> tuple[Attack, ...]:
    """A generator that saw no row, and the control beside it, on the census."""
    adult = load_demo("adult")
    rng = np.random.default_rng(0)
    members, others = (
        encode(adult.schema, table.head(1000)) for table in (adult.train, adult.test)
    )
    settings = GeneratorSettings.for_schema(adult.schema, num_members=1, num_anchors=16)
    generator = Generator(settings, rng=torch.Generator().manual_seed(0))
    records = Records(
        schema=adult.schema,
        synthetic=generator.sample_codes(2000, rng),
        members=members,
        others=others,
    )
    insider = Insider(
        sizes=adult.schema.sizes,
        discriminator=Discriminator(sum(adult.schema.sizes), rng=torch.Generator().manual_seed(0)),
        rows=MatchedRows(members=members, others=others),
    )
    return try_attacks(records, generator, rng=rng, insider=insider)


def test_every_attack_wins_on_a_generator_that_remembers_its_rows(attacked) -> None:
    assert {attack.kind for attack in attacked} == {
        "membership",
        "attribute",
        "singling-out",
        "copies",
    }
    for attack in attacked:
        assert attack.control is not None and attack.control_succeeds, attack.name
        if attack.measure == "auc":
            assert attack.control > 0.6, attack.name
        else:
            assert attack.control > attack.baseline + 0.1, attack.name


def test_no_attack_wins_on_a_generator_that_saw_no_row(attacked) -> None:
    assert [attack.name for attack in attacked if attack.succeeds] == []


def test_as_many_rows_of_each_site_are_members_as_it_holds_out() -> None:
    rng = np.random.default_rng(0)
    trained = [np.full((size, 2), site, np.int16) for site, size in enumerate((400, 50, 9, 30))]
    held = [np.full((size, 2), site, np.int16) for site, size in enumerate((100, 80, 0, 30))]
    rows = match_rows(trained, held, rng)
    for table in (rows.members, rows.others):
        assert np.bincount(table[:, 0], minlength=4).tolist() == [100, 50, 0, 30]
    pooled = match_rows(trained, [np.zeros((200, 2), np.int16)], rng)
    assert len(pooled) == 200
    assert set(pooled.members[:, 0]) == {0, 1, 2, 3}


@pytest.mark.parametrize("unit", ["record", "person"])
def test_only_units_that_are_trained_on_are_members_and_a_person_is_tried_once(
    tmp_path: Path, unit: str
) -> None:
    write_visits(tmp_path)
    if unit == "record":
        text = (tmp_path / "visits.toml").read_text()
        text = text.replace('kind = "person"\nperson_column = "patient"', 'kind = "record"')
        (tmp_path / "visits.toml").write_text(text.replace('"clinic"', '"clinic", "patient"'))
    source = {"data": tmp_path / "visits.csv", "schema": tmp_path / "visits.toml", "sites": 3}
    sites = make_sites(SimulationSettings.model_validate(source))
    study = make_study(evaluation=True, nominal_rows=30)
    write_sites(sites, study, tmp_path / "sites", holdout=0.3, seed=0)
    rng = np.random.default_rng(0)
    trained, held = read_trained(sites, tmp_path / "sites", rng), read_held(sites, rng)
    number = len(draw_visits()) if unit == "record" else 90
    in_test = sum(map(len, held))
    in_sites = number - in_test
    assert 0.15 * number <= in_test <= 0.2 * number
    assert 0.5 * in_sites < sum(map(len, trained)) < 0.9 * in_sites  # the rest was held out by coin


def test_what_a_promise_allows_is_that_of_its_gaussian() -> None:
    event = GaussianEvent(noise_multiplier=1.0, purpose="sketch")
    promise = Promise([event], 1e-5)
    scores = Trial.of_scores("x", np.arange(9.0), np.arange(9.0))
    assert promise.allow(scores) == pytest.approx(0.7602, abs=0.003)  # Phi(1 / sqrt(2))
    even = np.arange(100) < 20
    shares = Trial.of_successes("copies", "x", even, even)
    assert promise.allow(shares) == pytest.approx(0.5629, abs=0.003)  # Phi(1 + Phi^-1(0.2))
    assert promise.allow(Trial.of_successes("singling-out", "x", even, even)) is None


def simulate(folder: Path, **given: Any) -> SimulationResult:
    (folder / "tiny.toml").write_text(TINY)
    return fedsynth.simulate(folder / "tiny.toml", rows=400, **given)


@pytest.mark.slow
def test_a_simulation_reports_attacks_on_what_it_publishes_and_a_sites_discriminator(
    tmp_path: Path,
) -> None:
    result = simulate(tmp_path)
    report = result.report
    assert report.attacks is not None
    assert report.attacks.mark.startswith("simulation")
    names = [attack.name for attack in report.attacks.attacks]
    assert names[-1] == INSIDER
    assert len(names) == len(set(names)) == 10
    assert report.cost.phases[-1].name == "attacks on the rows"
    for attack in report.attacks.attacks:
        assert attack.low <= attack.found <= attack.high
        assert (attack.allowed is None) == (attack.kind == "singling-out")
        if attack.allowed is not None:
            assert attack.low < attack.allowed


def test_attacks_can_be_left_out_and_are_where_too_few_rows_are_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_visits(tmp_path)
    source = {"data": tmp_path / "visits.csv", "schema": tmp_path / "visits.toml", "sites": 2}
    few = simulate(tmp_path, **source)
    assert few.report.attacks is None
    assert few.report.cost.phases[-1].name == "attacks on the rows"
    monkeypatch.setattr("simulations.simulate.attack_release", None)
    report = simulate(tmp_path, attacks=False, **source).report
    assert report.attacks is None
    assert report.cost.phases[-1].name == "sample and score"


@pytest.mark.slow
@pytest.mark.long
def test_rows_of_a_site_are_not_held_against_those_of_others(tmp_path: Path) -> None:
    result = simulate(tmp_path, partition="dirichlet")
    assert result.report.attacks is not None
    assert INSIDER not in [attack.name for attack in result.report.attacks.attacks]
