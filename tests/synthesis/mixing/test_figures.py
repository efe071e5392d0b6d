"""What is said about rows of a chosen composition is true of them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_world import SCHEMA, make_generator

from synthesis.architecture import SiteGroup
from synthesis.mixing import Mixing
from synthesis.mixing.figures import estimate_gap, measure
from synthesis.mixing.mixed_sample import Mixed, MixedPart


def part(rows: int = 30_000, **wishes: object) -> MixedPart:
    mixing = Mixing(**wishes)  # type: ignore[arg-type]
    return Mixed.of(make_generator(), SCHEMA, rows, mixing=mixing).parts[""]


def test_distances_are_those_of_the_rows() -> None:
    target = {"margins": [{"column": "colour", "shares": {"red": 0.5, "green": 0.3}}]}
    found = part(match=target)
    figures = measure(found)
    table, plain = found.sample.frame(0), found.plain.frame(0)
    (margin,) = figures["margins"]

    def away(cells: object) -> float:
        colour = cells["colour"]  # type: ignore[index]
        shares = [(colour == "red").mean(), (colour == "green").mean()]
        off = [*np.subtract(shares, [0.5, 0.3]), 1 - sum(shares) - 0.2]
        return float(np.abs(off).sum() / 2)

    assert margin["distance"] == pytest.approx(away(table), abs=1e-9)
    assert margin["distance_before"] == pytest.approx(away(plain), abs=0.02)
    assert margin["distance"] < 2 * margin["distance_by_chance"] < 0.02
    distances = figures["two_way_distance_to_generator"]
    assert distances["of_these_rows"] > 2 * distances["of_its_own_rows"]
    assert figures["rows_measured"] == 30_000
    assert figures["parity"] is None
    assert 0 < figures["efficiency"] < 1


def test_what_chance_does_to_a_distance_is_what_independent_rows_have() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    target = {"margins": [{"column": "colour", "shares": {"red": 0.5, "green": 0.3}}]}
    expected = measure(part(1000, match=target))["margins"][0]["distance_by_chance"]
    counts = np.random.default_rng(0).multinomial(1000, shares, size=4000) / 1000
    assert np.abs(counts - shares).sum(1).mean() / 2 == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("groups", [(), ("north", "south")])
def test_the_label_is_met_up_to_a_row_whatever_their_number(groups: tuple[str, ...]) -> None:
    """Many parts of a mixture have a row or none in a small table; classes are no matter of it."""
    told = [SiteGroup(share=0.5, sites=(site,)) for site in groups]
    generator = make_generator(num_members=4, groups=told)
    rows = Mixed.of(generator, SCHEMA, 1, mixing=Mixing(balance="outcome")).parts[""].composition
    label = SCHEMA.names.index("outcome")
    for number in (1, 2, 20, 50, 51, 64, 100, 500):
        for seed in range(5):
            ill = rows.rows.draw(number, np.random.default_rng(seed))[label].places == 1
            assert abs(ill.sum() - number / 2) < 1


@pytest.mark.parametrize("rows", [20, 50, 128, 500])
def test_other_margins_stray_no_more_than_those_of_independent_rows(rows: int) -> None:
    mixed = Mixed.of(make_generator(num_members=4), SCHEMA, rows, mixing=Mixing(balance="colour"))
    composition, rng = mixed.parts[""].composition, np.random.default_rng(0)
    (goal,) = composition.goals
    found = [goal.margin.measure(composition.rows.draw(rows, rng)) for _ in range(400)]
    squares = np.square(np.subtract(found, goal.shares)).mean(0).sum()
    assert squares < 1.1 * (goal.shares * (1 - goal.shares)).sum() / rows


def test_a_gap_goes_and_what_is_left_of_it_has_an_interval() -> None:
    found = part(parity="colour,outcome")
    parity = measure(found)["parity"]
    plain = found.plain.frame(0)
    high, low = (
        (plain.loc[plain["colour"] == group, "outcome"] == parity["outcome"]).mean()
        if group
        else (plain.loc[plain["colour"].isna(), "outcome"] == parity["outcome"]).mean()
        for group in parity["groups"]
    )
    assert parity["gap_before"] == pytest.approx(high - low, abs=0.03)
    assert parity["gap_before"] > 0.1
    assert parity["gap"]["low"] < 0 < parity["gap"]["high"]
    assert parity["gap"]["low"] <= parity["gap"]["value"] <= parity["gap"]["high"]


def test_gaps_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    hits, others = rng.binomial(200, 0.1, 2000), rng.binomial(300, 0.25, 2000)
    gaps = [estimate_gap(int(a), 200, int(b), 300) for a, b in zip(hits, others, strict=True)]
    assert np.mean([gap.low <= -0.15 <= gap.high for gap in gaps]) == pytest.approx(0.95, abs=0.015)
    # Newcombe 1998, table II, row (a): 56/70 - 48/80.
    gap = estimate_gap(56, 70, 48, 80)
    assert (gap.low, gap.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert estimate_gap(0, 0, 3, 5).low == -1


@pytest.mark.parametrize("method", ["mixup", "smote", "latent"])
def test_rows_between_rows_are_measured_too(method: str) -> None:
    figures = measure(part(3000, interpolate=method))
    assert figures["margins"] == []
    assert figures["efficiency"] == pytest.approx(1)
    assert figures["two_way_distance_to_generator"]["of_these_rows"] > 0
