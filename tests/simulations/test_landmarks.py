"""The generated table keeps what people look at, and the check of that can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fedsynth
from simulations.benchmarks.tabular.landmarks import find_adult_landmarks
from simulations.demos import Demo, load_demo


@pytest.fixture(scope="module")
def adult() -> Demo:
    return load_demo("adult")


def lost(adult: Demo, table: pd.DataFrame) -> set[str]:
    found = find_adult_landmarks(adult.schema, adult.train, table)
    return {each.name for each in found if not each.is_kept}


def spread_zeros(table: pd.DataFrame) -> None:
    """Zeros become small amounts, as a generator of plain numbers makes them."""
    table.loc[table.index % 20 == 0, "capital-gain"] += 3


def fill_losses(table: pd.DataFrame) -> None:
    table.loc[table["capital-loss"] > 0, "capital-loss"] = 0


def smooth_hours(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    table["hours-per-week"] += rng.integers(-1, 2, len(table))


def break_ages(table: pd.DataFrame) -> None:
    table["age"] = table["age"].astype(float)
    table.loc[0, "age"] = 38.5


def make_husbands_women(table: pd.DataFrame) -> None:
    table.loc[(table["relationship"] == "Husband") & (table.index % 30 == 0), "gender"] = "Female"


def make_wives_men(table: pd.DataFrame) -> None:
    table.loc[(table["relationship"] == "Wife") & (table.index % 3 == 0), "gender"] = "Male"


def drop_a_rare_level(table: pd.DataFrame) -> None:
    is_rare = (table["occupation"] == "Protective-serv") & (table.index % 2 == 0)
    table.loc[is_rare, "occupation"] = "Craft-repair"


def blow_up_a_rare_level(table: pd.DataFrame) -> None:
    table.loc[table.index % 50 == 0, "race"] = "Asian-Pac-Islander"


SPOILED: list[tuple[Callable[[pd.DataFrame], None], str]] = [
    (spread_zeros, "capital-gain is exactly 0"),
    (fill_losses, "capital-loss is exactly 0"),
    (smooth_hours, "hours-per-week is exactly 40"),
    (break_ages, "age is not whole"),
    (make_husbands_women, "relationship is Husband and gender is Female"),
    (make_wives_men, "relationship is Wife and gender is Male"),
    (drop_a_rare_level, "occupation is Protective-serv"),
    (blow_up_a_rare_level, "race is Asian-Pac-Islander"),
]


def test_real_rows_keep_every_landmark(adult: Demo) -> None:
    found = find_adult_landmarks(adult.schema, adult.train, adult.test)
    assert len(found) > 40
    assert lost(adult, adult.test) == set()


@pytest.mark.parametrize(("spoil", "name"), SPOILED)
def test_a_spoiled_table_loses_the_landmark_and_no_other(
    adult: Demo, spoil: Callable[[pd.DataFrame], None], name: str
) -> None:
    table = adult.train.copy()
    spoil(table)
    assert lost(adult, table) == {name}


def test_independent_columns_make_women_husbands(adult: Demo) -> None:
    rng = np.random.default_rng(0)
    table = adult.train.apply(lambda column: rng.permutation(column.to_numpy()))
    assert {name for name in lost(adult, table) if " and " in name} == {
        "relationship is Husband and gender is Female",
        "relationship is Wife and gender is Male",
    }


SHORT = "rounds = 0\nadversarial_share = 0.0\nfit_steps = 600\n[simulation]\nattacks = false\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "study",
    [pytest.param(SHORT, id="short"), pytest.param("", id="usual", marks=pytest.mark.long)],
)
def test_four_sites_at_epsilon_1_keep_every_landmark(
    adult: Demo, tmp_path: Path, study: str
) -> None:
    (tmp_path / "study.toml").write_text(study)
    result = fedsynth.simulate(tmp_path / "study.toml", demo="adult", epsilon=1.0, sites=4)
    found = find_adult_landmarks(adult.schema, adult.train, result.synthetic)
    assert [str(each) for each in found if not each.is_kept] == []
    spoiled = result.synthetic.copy()
    for spoil, _ in SPOILED:
        spoil(spoiled)
    assert lost(adult, spoiled) >= {name for _, name in SPOILED}
