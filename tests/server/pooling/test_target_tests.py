"""Sites beside a public target: known tables have known distances, and noise is no finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from site_sketches import LAYOUT, NOISE, pool
from tiny_world import SCHEMA, draw_codes

from server.pooling.grouping import FormingGroup
from server.pooling.target_tests import TargetTests, hold_to_target
from server.public_target import PublicTarget
from strategies.aggregation import PooledSketch
from synthesis import decode
from synthesis.coverage import Coverage
from synthesis.layout import compute_sketch
from synthesis.mixing.margin_cells import MarginCells
from synthesis.mixing.target_file import Target

CUT = {"3 to 7": 0.25, ">=20": 0.25}
"""The sketch counts ages in groups of three, which these ranges cut."""
MARGINS: list[dict[str, Any]] = [
    {"column": "colour", "shares": {"red": 0.5, "": 0.1}},
    {"column": "age", "shares": CUT},
    {"column": "outcome", "shares": {"ill": 0.3}},
    {"columns": ["age", "colour"], "shares": {"<6": {"red": 0.1}, "6 to 11": {"blue": 0.4}}},
    {"columns": ["colour", "age"], "shares": {"red": {"<6": 0.1}, "blue": {"6 to 11": 0.4}}},
    {"columns": ["outcome", "colour"], "shares": {"ill": {"red": 0.2}}},
    {"columns": ["age", "outcome"], "shares": {"<6": {"ill": 0.2, "well": 0.1}}},
]


def target_of(*margins: dict[str, Any]) -> PublicTarget:
    target = Target.of({"margins": list(margins)})
    cells = tuple(map(MarginCells.of, target.read(SCHEMA)))
    return PublicTarget(margins=cells, sha256=target.digest())


def site_of(codes: np.ndarray, seed: int, noise: float = NOISE) -> FormingGroup:
    counts = compute_sketch(LAYOUT, codes.astype(np.int16))
    draw = np.random.default_rng(seed).normal(0, noise * LAYOUT.sensitivity, len(counts))
    sketch = PooledSketch(values=counts + draw, noise_variance=noise**2)
    rows = float(len(codes))
    return FormingGroup(nodes=(seed,), sketch=sketch, rows=rows, drawn=rows)


def hold(target: PublicTarget, *sites: FormingGroup) -> TargetTests:
    pooled = pool({n: site.sketch for n, site in enumerate(sites)})
    return hold_to_target(LAYOUT, target, pooled, sites)


def cell_of(table: pd.DataFrame, column: str, key: str) -> np.ndarray:
    values = table[column]
    if column != "age":
        return np.asarray(values.isna() if key == "" else values == key)
    if key[0] in "<>":
        return np.asarray(values < int(key[1:]) if key[0] == "<" else values >= int(key[2:]))
    low, high = map(int, key.split(" to "))
    return np.asarray((values >= low) & (values <= high))


def distance_by_hand(table: pd.DataFrame, margin: dict[str, Any]) -> float:
    columns = margin.get("columns") or [margin["column"]]
    gaps, listed = [], 0.0
    for key, share in margin["shares"].items():
        inner = share.items() if len(columns) == 2 else [(None, share)]
        for other, asked in inner:
            found = cell_of(table, columns[0], key)
            if other is not None:
                found = found & cell_of(table, columns[1], other)
            gaps.append(float(found.mean()) - asked)
            listed += asked
    return (sum(map(abs, gaps)) + abs(sum(gaps))) / 2


@pytest.mark.parametrize("margin", MARGINS)
def test_without_noise_a_distance_is_that_of_the_table(margin: dict[str, Any]) -> None:
    codes = draw_codes(4000, 3)
    found = hold(target_of(margin), site_of(codes, 0, noise=1e-6))
    table = decode(SCHEMA, codes, np.random.default_rng(0))
    assert found.distances[0, 0] == pytest.approx(distance_by_hand(table, margin), abs=1e-5)
    assert found.beyond[0, 0]


def test_a_pair_whose_cells_are_cut_is_split_as_all_sites_have_it() -> None:
    margin = {"columns": ["age", "smokes"], "shares": {"<5": {"yes": 0.2}, ">=16": {"no": 0.1}}}
    codes = draw_codes(60_000, 3)
    found = hold(target_of(margin), site_of(codes, 0, noise=1e-6))
    table = decode(SCHEMA, codes, np.random.default_rng(0))
    assert found.distances[0, 0] == pytest.approx(distance_by_hand(table, margin), abs=0.01)


def population_target() -> PublicTarget:
    """The shares of the population that all these sites are drawn from."""
    table = decode(SCHEMA, draw_codes(400_000, 99), np.random.default_rng(0))
    both = {
        colour: {
            key: float(((table["colour"] == colour) & cell_of(table, "age", key)).mean())
            for key in ("<6", ">=21")
        }
        for colour in ("red", "blue")
    }
    return target_of(
        {"column": "age", "shares": {key: float(cell_of(table, "age", key).mean()) for key in CUT}},
        {"column": "outcome", "shares": {"ill": float((table["outcome"] == "ill").mean())}},
        {"columns": ["colour", "age"], "shares": both},
    )


@pytest.mark.parametrize("noise", [0.5, 5.0, 500.0])
def test_sites_of_the_target_are_as_far_from_it_as_noise_has_them(noise: float) -> None:
    target = population_target()
    several = [
        hold(target, *(site_of(draw_codes(1500, 10 * n + i), 10 * n + i, noise) for i in range(3)))
        for n in range(60)
    ]
    expected = np.mean([each.expected for each in several], axis=(0, 1))
    assert np.mean([each.distances for each in several], axis=(0, 1)) == pytest.approx(
        expected, rel=0.12
    )
    assert max(each.distances.max() for each in several) <= 1
    assert sum(bool(each.beyond.any()) for each in several) <= 3  # level 0.01 for each of 60


def test_a_site_unlike_the_target_is_found_among_those_that_meet_it() -> None:
    codes = draw_codes(1500, 1)
    codes[:, 2] = 0
    found = hold(population_target(), site_of(draw_codes(1500, 0), 0), site_of(codes, 1))
    assert found.beyond.tolist() == [[False] * 3, [False, True, False]]
    assert found.distances[1, 1] > 5 * found.expected[1, 1]


def test_what_a_site_lacks_is_not_told_and_no_finding() -> None:
    lacking = LAYOUT.lacking([SCHEMA.names.index("colour")])
    counts = compute_sketch(lacking, draw_codes(1500, 0))
    vector = Coverage.of_site(lacking).to_vector()
    sketch = PooledSketch(values=counts, noise_variance=NOISE**2, coverage=vector)
    site = FormingGroup(nodes=(0,), sketch=sketch, rows=1500.0, drawn=1500.0)
    whole = site_of(draw_codes(1500, 1), 1)
    asked = [each for number, each in enumerate(MARGINS) if number != 4]
    found = hold_to_target(LAYOUT, target_of(*asked), whole.sketch, [site])
    told = [not {"colour"} & {*each.get("columns", ()), each.get("column")} for each in asked]
    assert (~np.isnan(found.distances[0])).tolist() == told
    assert (found.p_values[0][~np.array(told)] == 1).all()


def test_arrays_are_found_again_for_the_same_target_alone() -> None:
    target = target_of(MARGINS[0], MARGINS[2])
    tests = hold(target, site_of(draw_codes(300, 0), 0))
    arrays = tests.to_arrays(target)
    found = TargetTests.find(arrays, target)
    assert found is not None
    assert np.array_equal(found.distances, tests.distances)
    assert TargetTests.find(arrays, target_of(MARGINS[0])) is None
    assert tests.above(found).p_values.shape == (2, 2)
    assert tests.above(None) is tests
