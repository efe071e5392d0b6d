"""Groups of sites: alike ones are joined, unlike ones stay apart, whatever their numbers are."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from site_sketches import LAYOUT, NOISE, pool, sketch_of
from tiny_world import draw_codes

from privacy import Budget, calibrate_gaussian
from server.pooling.grouping import Difference, Grouping, SketchGroup
from strategies.aggregation import PooledSketch
from synthesis import encode, read_table
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import load_schema

DATA = Path(__file__).parents[3] / "simulations" / "data"


def form(sketches: dict[int, PooledSketch], most: int = 4) -> list[SketchGroup]:
    return Grouping(LAYOUT, pool(sketches)).form(sketches, most)


def test_sites_of_one_population_are_one_group() -> None:
    (group,) = form({node: sketch_of(2000, node) for node in range(5)})
    assert group.nodes == (0, 1, 2, 3, 4)
    assert group.rows == pytest.approx(10_000, rel=0.02)
    assert group.sketch.noise_variance == pytest.approx(5 * NOISE**2)


def test_the_difference_of_sites_alike_is_about_one() -> None:
    grouping = Grouping(LAYOUT, sketch_of(4000, 0))
    found = [
        grouping.measure(
            grouping.make_group((1,), sketch_of(2000, 2 * seed + 1)),
            grouping.make_group((2,), sketch_of(700, 2 * seed + 2)),
        ).square
        for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(1.0, abs=0.1)


def test_chance_alone_takes_no_sites_apart() -> None:
    """Few counts of the same people stray far: all blocks count them again."""
    found = []
    for seed in range(30):
        sketches = {node: sketch_of(2000, 100 * seed + node) for node in range(3)}
        grouping = Grouping(LAYOUT, pool(sketches))
        sites = grouping.list_sites(sketches)
        found += [grouping.measure(*pair) for pair in combinations(sites, 2)]
    squares, strays = [each.square for each in found], [each.stray for each in found]
    assert max(squares) > 1.2
    assert not any(each.is_apart for each in found)
    assert np.std(squares) < np.mean(strays) < 2 * np.std(squares)


@pytest.mark.parametrize("epsilon", [0.3, 10.0])
@pytest.mark.parametrize("name", ["penguins.csv", "airport.csv.gz"])
def test_real_rows_dealt_at_random_are_one_group(name: str, epsilon: float) -> None:
    schema = load_schema(DATA / f"{name.split('.')[0]}.toml")
    codes, layout = encode(schema, read_table(DATA / name)), SketchLayout.from_schema(schema)
    noise = calibrate_gaussian(Budget(epsilon=epsilon, delta=1e-5))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sketches = {}
        for site, rows in enumerate(np.array_split(rng.permutation(len(codes)), 6)):
            counts = compute_sketch(layout, codes[rows], np.ones(len(rows)))
            counts += rng.normal(0, noise * layout.sensitivity, len(counts))
            sketches[site] = PooledSketch(values=counts, noise_variance=noise**2)
        assert len(Grouping(layout, pool(sketches)).form(sketches, most=4)) == 1


def test_a_small_difference_of_many_counts_keeps_sites_apart() -> None:
    """A tenth of what noise makes of a count is beyond chance where there are many counts."""
    assert Difference(square=1.1, stray=0.02).is_apart
    assert not Difference(square=1.1, stray=0.03).is_apart


def test_two_populations_are_two_groups_that_add_up() -> None:
    rows = range(1000, 1600, 100)
    sketches = {n: sketch_of(each, n, mirrored=n % 2 == 1) for n, each in enumerate(rows)}
    groups = form(sketches)
    assert [group.nodes for group in groups] == [(1, 3, 5), (0, 2, 4)]
    assert groups[0].rows > groups[1].rows
    total = sum(group.sketch.values for group in groups)
    assert total == pytest.approx(pool(sketches).values, abs=2.0)


def test_few_rows_under_noise_join_what_they_cannot_be_told_from() -> None:
    (group,) = form({0: sketch_of(2000, 0), 1: sketch_of(3, 1, mirrored=True)})
    assert group.nodes == (0, 1)


def test_there_are_never_more_groups_than_asked_for() -> None:
    sketches = {node: sketch_of(1500, node, mirrored=node % 2 == 1) for node in range(4)}
    assert len(form(sketches, most=1)) == 1
    assert len(form(sketches, most=2)) == 2


def test_numbers_of_nodes_change_nothing() -> None:
    sketches = [sketch_of(900 + 300 * site, site, mirrored=site > 1) for site in range(4)]
    one = form(dict(enumerate(sketches)))
    other = form({77 - site: sketch for site, sketch in enumerate(sketches)})
    assert len(one) == 2
    for mine, theirs in zip(one, other, strict=True):
        assert np.array_equal(mine.sketch.values, theirs.sketch.values)
        assert sorted(77 - node for node in theirs.nodes) == list(mine.nodes)


def test_a_noisy_site_adds_little_noise_to_sites_that_are_alike() -> None:
    """Three exact sites and one a tenth as large under ten times the noise."""
    exact = {n: sketch_of(2000, n) for n in range(3)}
    small = sketch_of(200, 9)
    noise = np.random.default_rng(0).normal(0, 5.0 * LAYOUT.sensitivity, LAYOUT.dimension)
    noisy = PooledSketch(values=small.values + noise, noise_variance=NOISE**2 + 25.0)
    (group,) = form(exact | {3: noisy})
    alone = pool(exact).noise_variance
    assert group.rows == pytest.approx(6200, rel=0.15)
    assert group.sketch.noise_variance < 1.2 * alone * (group.rows / 6000) ** 2
    assert pool(exact | {3: noisy}).noise_variance > 10 * alone


def test_the_noise_of_an_average_is_the_noise_that_is_told() -> None:
    truth = compute_sketch(LAYOUT, draw_codes(4000, 1).astype(np.int16), np.ones(4000))
    grouping = Grouping(LAYOUT, PooledSketch(values=truth, noise_variance=0.01))
    strayed, told = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        one, other = (
            grouping.make_group(
                (number,),
                PooledSketch(
                    values=share * truth
                    + rng.normal(0, std * LAYOUT.sensitivity, LAYOUT.dimension),
                    noise_variance=std**2,
                ),
            )
            for number, (share, std) in enumerate(((0.8, 0.5), (0.2, 1.5)))
        )
        group = grouping.average(one, other)
        scale = group.rows / 4000
        strayed.append(np.square(group.sketch.values - scale * truth).mean())
        told.append(group.sketch.noise_variance * LAYOUT.sensitivity**2)
    assert np.mean(strayed) == pytest.approx(np.mean(told), rel=0.1)


def test_equal_sites_are_as_good_as_added_up() -> None:
    sketches = {n: sketch_of(2000, n) for n in range(4)}
    (group,) = form(sketches)
    assert group.sketch.noise_variance == pytest.approx(4 * NOISE**2, rel=0.05)
    assert group.drawn == pytest.approx(group.rows, rel=0.05)
    gap = group.sketch.values - pool(sketches).values
    assert np.abs(gap).max() < 0.05 * np.abs(pool(sketches).values).max()


def test_unlike_sites_that_have_to_be_one_group_are_added_up() -> None:
    sketches = {n: sketch_of(1500, n, mirrored=n % 2 == 1) for n in range(4)}
    (group,) = form(sketches, most=1)
    assert not group.are_alike
    assert group.sketch.values == pytest.approx(pool(sketches).values, rel=0.1, abs=60)
