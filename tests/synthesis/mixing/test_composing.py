"""Margins that are asked for: rows have them, up to the draw, whatever the columns are like."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_world import SCHEMA, make_generator

from simulations.demos import load_demo_schema
from synthesis.encoding import to_frame
from synthesis.mixing.composing import Composition
from synthesis.mixing.target_file import Target
from synthesis.schema import Categorical, Datetime, Integer, LevelColumn, Schema, check_table

ADULT = load_demo_schema("adult")
ROWS = 40_000
MIXED = Schema(
    name="mixed",
    columns=(
        Integer(name="age", minimum=0, maximum=99, bins=4),
        Integer(name="gain", minimum=0, maximum=9999, bins=9, transform="log", point_masses=(0,)),
        Datetime(name="day", minimum="2020-01-01", maximum="2020-12-31", bins=5, missing=True),
        Categorical(name="colour", categories=("red", "green", "blue"), missing=True),
        Categorical(name="outcome", categories=("well", "ill", "dead")),
    ),
    label="outcome",
)


def compose(
    schema: Schema, margins: list[Mapping[str, Any]] | None = None, **wishes: Any
) -> Composition:
    read = Target.of({"margins": margins}).read(schema) if margins else []
    return Composition.of(make_generator(schema, num_members=2), schema, margins=read, **wishes)


def draw(composition: Composition, rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    placed = composition.rows.draw(rows, np.random.default_rng(seed))
    return to_frame(composition.rows.schema, placed)


def assert_shares(table: pd.DataFrame, holds: pd.Series, share: float) -> None:
    """A share of rows is what was asked, within five standard deviations."""
    within = 5 * np.sqrt(max(share * (1 - share), 1e-4) / len(table))
    assert abs(holds.mean() - share) < within, (holds.mean(), share)


def random_parts(schema: Schema, index: int, rng: np.random.Generator) -> list[str]:
    """Some keys of a column: levels, or ranges that are apart."""
    column = schema.columns[index]
    if isinstance(column, LevelColumn):
        levels = rng.permutation(column.levels)
        return [str(level) for level in levels[: rng.integers(1, min(len(levels), 6) + 1)]]
    grid = column.grid
    cuts = np.sort(rng.choice(np.arange(1, min(grid.count, 80)), size=3, replace=False))
    edges = [0, *map(int, cuts)]
    text = column.format_position
    keys = [f"{text(a)} to {text(b - 1)}" for a, b in pairwise(edges)]
    return [*keys, f">={text(edges[-1])}"]


def find(schema: Schema, table: pd.DataFrame, name: str, key: str) -> pd.Series:
    """Which rows a key means, by pandas alone."""
    cells = table[name]
    if isinstance(schema.column(name), LevelColumn):
        return cells == key
    if key.startswith(">="):
        return cells >= float(key[2:])
    low, high = key.split(" to ")
    return cells.between(float(low), float(high))


def random_target(seed: int) -> list[dict[str, Any]]:
    """Margins that some table has: those of a reweighted table, so they cannot contradict."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(ADULT.columns))[:5]
    keys = {int(index): random_parts(ADULT, int(index), rng) for index in chosen}
    source = draw(compose(ADULT), 30_000, seed=1000 + seed)
    masks = {
        index: [find(ADULT, source, ADULT.names[index], key) for key in found]
        for index, found in keys.items()
    }
    weights = np.ones(len(source))
    for found in masks.values():
        for mask in found:
            weights *= np.where(mask, rng.uniform(0.4, 2.5), 1.0)
    weights /= weights.sum()
    margins: list[dict[str, Any]] = []
    for index in list(keys)[:3]:
        shares = {
            key: round(float(weights[mask].sum()), 9)
            for key, mask in zip(keys[index], masks[index], strict=True)
        }
        margins.append({"column": ADULT.names[index], "shares": shares})
    for a, b in (list(keys)[2:4], list(keys)[3:5]):
        table = {
            key: {
                other: round(float(weights[one & two].sum()), 9)
                for other, two in zip(keys[b], masks[b], strict=True)
            }
            for key, one in zip(keys[a], masks[a], strict=True)
        }
        margins.append({"columns": [ADULT.names[a], ADULT.names[b]], "shares": table})
    return margins


@pytest.mark.parametrize("seed", range(20))
def test_the_census_has_the_shares_of_random_targets(seed: int) -> None:
    margins = random_target(seed)
    composition = compose(ADULT, margins)
    table = draw(composition)
    assert check_table(ADULT, table) == []
    assert 0 < composition.efficiency < 1
    for margin in margins:
        names = margin.get("columns") or [margin["column"]]
        for key, value in margin["shares"].items():
            mask = find(ADULT, table, names[0], key)
            if len(names) == 1:
                assert_shares(table, mask, value)
                continue
            for other, share in value.items():
                assert_shares(table, mask & find(ADULT, table, names[1], other), share)


def test_ranges_that_cut_bins_point_masses_dates_and_missing_values() -> None:
    composition = compose(
        MIXED,
        [
            {"column": "age", "shares": {"<30": 0.5, "30 to 33": 0.2, ">=90": 0.1}},
            {"column": "gain", "shares": {"0": 0.3, "1 to 17": 0.4}},
            {
                "columns": ["day", "outcome"],
                "shares": {
                    "": {"dead": 0.1},
                    "2020-03-05 to 2020-03-20": {"ill": 0.2, "well": 0.1},
                },
            },
            {"columns": ["colour", "age"], "shares": {"": {"<50": 0.3}, "red": {"50": 0.05}}},
        ],
    )
    table = draw(composition)
    assert check_table(MIXED, table) == []
    age, gain, day = table["age"], table["gain"], table["day"]
    spring = day.between(pd.Timestamp("2020-03-05"), pd.Timestamp("2020-03-20"))
    for holds, share in [
        (age < 30, 0.5),
        (age.between(30, 33), 0.2),
        (age >= 90, 0.1),
        (gain == 0, 0.3),
        (gain.between(1, 17), 0.4),
        (day.isna() & (table["outcome"] == "dead"), 0.1),
        (spring & (table["outcome"] == "ill"), 0.2),
        (spring & (table["outcome"] == "well"), 0.1),
        (table["colour"].isna() & (age < 50), 0.3),
        ((table["colour"] == "red") & (age == 50), 0.05),
    ]:
        assert_shares(table, holds, share)


def test_what_is_not_asked_for_stays_as_it_is_given_what_is() -> None:
    generator = make_generator(MIXED, num_members=2)
    plain = to_frame(
        MIXED, Composition.of(generator, MIXED).rows.draw(300_000, np.random.default_rng(1))
    )
    shares = {"red": 0.6, "green": 0.1}
    table = draw(compose(MIXED, [{"column": "colour", "shares": shares}]), 300_000)
    for level in shares:
        kept, own = table[table["colour"] == level], plain[plain["colour"] == level]
        within = 5 / np.sqrt(min(len(kept), len(own)))
        for holds in (lambda t: t["age"] < 37, lambda t: t["outcome"] == "ill"):
            assert abs(holds(kept).mean() - holds(own).mean()) < within
    rest = [each[~each["colour"].isin(shares)]["colour"].isna().mean() for each in (table, plain)]
    assert rest[0] == pytest.approx(rest[1], abs=0.01)


def test_weights_are_those_of_raking_rows() -> None:
    """The same margins raked on rows, one row at a time, give other columns the same shares."""
    margins = [
        {"column": "colour", "shares": {"red": 0.5, "green": 0.2, "blue": 0.1}},
        {"columns": ["smokes", "age"], "shares": {"yes": {"<10": 0.3, "10 to 19": 0.1}}},
    ]
    plain = draw(compose(SCHEMA), 400_000, seed=5)
    colour = plain["colour"].map({"red": 0, "green": 1, "blue": 2}).fillna(3).to_numpy(int)
    yes, age = plain["smokes"] == "yes", plain["age"]
    pair = np.select([yes & (age < 10), yes & age.between(10, 19)], [0, 1], 2)
    weights = np.ones(len(plain))
    for _ in range(50):
        for cells, shares in ((colour, [0.5, 0.2, 0.1, 0.2]), (pair, [0.3, 0.1, 0.6])):
            weights *= (np.array(shares) / np.bincount(cells, weights))[cells]
    composition = compose(SCHEMA, margins)
    table = draw(composition, 200_000)
    for holds in (lambda t: t["outcome"] == "ill", lambda t: t["age"] >= 20):
        assert holds(table).mean() == pytest.approx(weights[holds(plain)].sum(), abs=0.006)
    assert composition.efficiency == pytest.approx(
        1 / (weights**2).mean() / len(plain) ** 2, rel=0.02
    )


def test_conditions_hold_in_every_row_and_shares_among_them() -> None:
    composition = compose(
        MIXED,
        [{"column": "age", "shares": {"<40": 0.25}}, {"column": "outcome", "shares": {"ill": 0.5}}],
        where=["age>=13", "age<77", "outcome!=dead", "colour!="],
    )
    table = draw(composition)
    assert table["age"].between(13, 76).all()
    assert set(table["outcome"]) == {"well", "ill"}
    assert table["colour"].notna().all()
    assert_shares(table, table["age"] < 40, 0.25)
    assert_shares(table, table["outcome"] == "ill", 0.5)
    assert 0 < composition.rows.probability < 1


def test_without_wishes_rows_are_the_generators() -> None:
    composition = compose(MIXED)
    assert composition.efficiency == pytest.approx(1)
    assert (composition.goals, composition.unequal) == ((), None)
    assert len(draw(composition, 0)) == 0
    assert len(draw(composition, 1)) == 1


def test_no_row_is_a_copy_of_another() -> None:
    fine = Schema(
        name="fine",
        columns=(
            Integer(name="a", minimum=0, maximum=2**50, bins=4),
            Categorical(name="outcome", categories=("well", "ill")),
        ),
        label="outcome",
    )
    table = draw(compose(fine, [{"column": "outcome", "shares": {"ill": 0.999}}]))
    assert table["a"].is_unique


@pytest.mark.parametrize("column", ["colour", "outcome"])
def test_balance_gives_levels_equal_shares_and_leaves_missing_values(column: str) -> None:
    table = draw(compose(MIXED, balance=column))
    plain = draw(compose(MIXED), seed=1)
    missing = plain[column].isna().mean()
    assert table[column].isna().mean() == pytest.approx(missing, abs=0.02)
    shares = table[column].value_counts(normalize=True)
    assert shares.max() - shares.min() < 0.02
    few = draw(compose(MIXED, balance="outcome", where=["outcome!=dead"]))
    assert_shares(few, few["outcome"] == "ill", 0.5)


@pytest.mark.parametrize("pair", [("colour", "outcome"), ("outcome", "colour")])
def test_parity_makes_a_pair_independent_and_keeps_its_shares(pair: tuple[str, str]) -> None:
    table = draw(compose(MIXED, parity=pair), 100_000)
    plain = draw(compose(MIXED), 100_000, seed=1)
    joint = pd.crosstab(table[pair[0]].fillna("-"), table[pair[1]].fillna("-"), normalize=True)
    before = pd.crosstab(plain[pair[0]].fillna("-"), plain[pair[1]].fillna("-"), normalize=True)
    product = np.outer(before.sum(axis=1), before.sum(axis=0))
    assert np.abs(before.to_numpy() - product).max() > 0.03
    assert np.abs(joint.to_numpy() - product).max() < 0.006


def test_parity_of_two_columns_that_are_not_the_label_and_with_other_wishes() -> None:
    composition = compose(
        SCHEMA,
        [{"column": "colour", "shares": {"red": 0.5}}],
        balance="smokes",
        parity=("colour", "smokes"),
    )
    table = draw(composition)
    red, yes = table["colour"] == "red", table["smokes"] == "yes"
    for holds, share in ((red, 0.5), (yes, 0.5), (red & yes, 0.25)):
        assert_shares(table, holds, share)
