"""A simulation of persons: each whole at one site, and never in the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from visits import CLINICS, draw_visits, write_visits

import fedsynth
from privacy import Ledger, Unit
from simulations.partition import partition_iid
from simulations.persons import deal_whole, first_rows
from simulations.settings import SimulationSettings, make_study
from simulations.simulate import SimulationResult
from simulations.sites import SimulatedSites, check_study, make_sites
from synthesis import InputError
from synthesis.layout import SketchLayout
from synthesis.schema import load_schema

PARTITIONS = ["iid", "dirichlet", "dirichlet:clinic", "column:clinic"]


def sites_of(home: Path, **given: Any) -> SimulatedSites:
    write_visits(home)
    source = {"data": home / "visits.csv", "schema": home / "visits.toml"}
    return make_sites(SimulationSettings.model_validate(source | given))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulationResult, Path]:
    home = tmp_path_factory.mktemp("visits")
    write_visits(home)
    result = fedsynth.simulate(
        home / "tiny.toml",
        data=home / "visits.csv",
        schema=home / "visits.toml",
        partition="column:clinic",
        out=home / "release",
    )
    return result, home / "release"


def test_the_ledgers_the_report_and_the_page_are_about_a_person(made) -> None:
    result, release = made
    assert result.report.promise.unit is Unit.PERSON
    for number in (1, 2, 3):
        ledger = Ledger.open(release / "sites" / f"site-{number}" / "ledger.sqlite")
        assert ledger.header.unit is Unit.PERSON
        assert 0.99 < ledger.epsilon() <= 1
    page = (release / "report.html").read_text()
    assert "one person, with all their rows" in page
    assert "costs a person whose rows all lie at one site the largest epsilon" in page
    assert "a record the largest" not in page and "your record" not in page


def test_no_id_of_a_person_is_anywhere_in_the_release(made) -> None:
    result, release = made
    assert list(result.synthetic.columns) == ["age", "ward", "sick"]
    files = [path for path in release.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert b"zz0" not in path.read_bytes(), path
    assert not {path.name for path in files} & {"rows.parquet", "split.key"}


def test_the_study_is_sized_by_persons_and_not_by_rows(made) -> None:
    result, _ = made
    assert result.study.nominal_rows == 20  # 24 persons are left at each of 3 sites
    assert len(result.synthetic) > 200


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_person_is_at_one_site_or_in_the_test(tmp_path: Path, partition: str) -> None:
    sites = sites_of(tmp_path, partition=partition)
    ids = [set(table["patient"]) for table in sites.tables]
    assert sum(map(len, ids)) == len(set.union(*ids)) == sites.num_units
    whole = draw_visits().groupby("patient").size()
    for table in sites.tables:
        kept = table.groupby("patient").size()
        assert (kept == whole[kept.index]).all()
    assert 70 <= sites.num_units <= 76  # a fifth of each site's persons is in the test
    assert len(sites.train) + len(sites.test) == len(draw_visits())
    for table in (sites.train, sites.test):
        assert list(table.columns) == ["age", "ward", "sick"]


def test_a_partition_by_column_keeps_its_names(tmp_path: Path) -> None:
    assert sites_of(tmp_path, partition="column:clinic").names == CLINICS


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.integers(0, 9), min_size=30, max_size=60), seed=st.integers(0, 9))
def test_dealing_whole_persons_loses_no_row(numbers: list[int], seed: int) -> None:
    units = pd.factorize(np.array(numbers))[0].astype(np.int64)
    assume(len(first_rows(units)) > 1)
    of_units = partition_iid(len(first_rows(units)), 2, np.random.default_rng(seed))
    rows = deal_whole(of_units, units).rows
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(units)))
    assert not set(units[rows[0]]) & set(units[rows[1]])


def test_more_sites_than_persons_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="91 sites for 90 persons"):
        sites_of(tmp_path, sites=91)


def test_sites_of_too_few_persons_leave_none_to_test_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fewer than 5 persons.* has 3"):
        sites_of(tmp_path, sites=30)


def test_a_person_at_two_sites_is_refused(tmp_path: Path) -> None:
    write_visits(tmp_path)
    table = draw_visits()
    twice = table["patient"].duplicated().idxmax()
    table.loc[twice, "clinic"] = "east" if table.loc[twice, "clinic"] != "east" else "west"
    table.to_csv(tmp_path / "visits.csv", index=False)
    given = {"data": tmp_path / "visits.csv", "schema": tmp_path / "visits.toml"}
    with pytest.raises(InputError, match=r"1 of 90 have rows at up to 2.* is the sum over"):
        make_sites(SimulationSettings.model_validate(given | {"partition": "column:clinic"}))
    assert make_sites(SimulationSettings.model_validate(given)).num_units == 74


def test_delta_is_held_against_the_number_of_persons(tmp_path: Path) -> None:
    sites = sites_of(tmp_path)
    study = make_study(
        {"delta": 1 / 72},
        units_per_site=18,
        num_sites=4,
        layout=SketchLayout.from_schema(sites.schema),
        name="s",
        seed=0,
    )
    assert len(sites.train) > 100
    with pytest.raises(InputError, match=r"1/persons = 0\.014"):
        check_study(study, sites)


def test_the_schema_of_the_health_experiment_protects_persons() -> None:
    data = Path(__file__).parents[2] / "simulations" / "data"
    schema = load_schema(data / "rand_hie.toml")
    assert (schema.unit.kind, schema.unit.person_column) == ("person", "person")
    assert not list(data.glob("rand_hie*.csv*"))  # its licence does not allow it to come along
    assert "rand_hie.toml" in (data / "README.md").read_text(encoding="utf-8")
