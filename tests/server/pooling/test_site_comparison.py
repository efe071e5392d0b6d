"""Sites beside each other: no conflict among sites alike, beyond the level; real ones are named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2
from site_sketches import LAYOUT, noisy_sketch, pool, sketch_of
from tiny_world import SCHEMA, draw_codes

from server.pooling.grouping import Grouping
from server.pooling.share_tests import Shares, compare_shares
from server.pooling.site_comparison import SiteComparison, compare_sites
from strategies.aggregation import PooledSketch


def compare(sketches: dict[int, PooledSketch], most: int = 4) -> SiteComparison:
    grouping = Grouping(LAYOUT, pool(sketches))
    return compare_sites(LAYOUT, sketches, grouping.form(sketches, most), grouping)


@pytest.mark.parametrize(
    ("studies", "most"), [(50, 3), pytest.param(200, 7, marks=pytest.mark.slow)]
)
def test_sites_alike_conflict_no_more_often_than_the_level_says(studies: int, most: int) -> None:
    """At level 0.01, of 200 studies of three sites alike 2 are expected to name any conflict."""
    named = 0
    for study in range(studies):
        sketches = {n: sketch_of(400 * (n + 1), 1000 + 3 * study + n) for n in range(3)}
        named += bool(compare(sketches).conflicts.any())
    assert named <= most  # beyond it with a chance of one in 500, and of one in a thousand


def test_p_values_are_not_smaller_than_chance_makes_them() -> None:
    found = np.concatenate(
        [
            compare({n: sketch_of(800, 5000 + 2 * s + n) for n in range(2)}).p_values[0]
            for s in range(100)
        ]
    )
    for level in (0.05, 0.2):
        assert (found < level).mean() <= level + 0.04


def test_what_differs_is_named_and_nothing_else() -> None:
    codes = draw_codes(3000, 1)
    colour = SCHEMA.names.index("colour")
    codes[:, colour] = np.random.default_rng(0).integers(0, 2, len(codes))
    others = {0: sketch_of(3000, 2), 1: sketch_of(3000, 3)}
    found = compare(others | {2: noisy_sketch(codes, 1)})
    columns = len(SCHEMA.names)
    assert found.conflicts[2, :columns].tolist() == [name == "colour" for name in SCHEMA.names]
    features = [SCHEMA.names[position] for position in LAYOUT.features]
    pairs = [{features[one], features[other]} for one, other in LAYOUT.pairs]
    assert found.conflicts[2, columns:].tolist() == ["colour" in pair for pair in pairs]
    assert found.distances[2, colour] > 0.2
    assert found.differences[2, 0] > 2 > found.differences[1, 0]
    assert np.isnan(found.from_group[2])
    assert found.from_group[0] < 1.3


def test_noise_takes_no_distance_beyond_one_and_leaves_the_test_as_it_is() -> None:
    """Noisy shares below zero are no distribution's: these differ by 1.4, and at most by 1."""
    small = Shares(values=np.array([0.9, -0.4, 0.5]), noise=np.full(3, 0.1), rows=20.0)
    others = Shares(values=np.array([0.0, 0.9, 0.1]), noise=np.full(3, 1e-6), rows=9000.0)
    p_value, distance = compare_shares(small, others)
    assert distance == pytest.approx(0.7 + 0.2)  # of (0.7, 0, 0.3), which is nearest
    pooled = (20 * small.values + 9000 * others.values) / 9020
    variances = 0.1 + 1e-6 + np.maximum(pooled, 1 / 9020) * (1 / 20 + 1 / 9000)
    statistic = (np.square(small.values - others.values) / variances).sum()
    assert p_value == pytest.approx(chi2.sf(statistic, 3))
    drowned = compare({0: sketch_of(3000, 0), 1: sketch_of(3000, 1), 2: sketch_of(4, 2)})
    assert 0 <= drowned.distances.min() and drowned.distances.max() <= 1


def test_differences_are_those_of_every_two_sites() -> None:
    found = compare({n: sketch_of(2000, n, mirrored=n == 1) for n in range(3)})
    assert np.array_equal(found.differences, found.differences.T)
    assert found.differences.diagonal().tolist() == [0, 0, 0]
    assert found.differences[0, 1] > 2 > found.differences[0, 2]


def test_a_label_that_is_shared_out_otherwise_is_a_conflict() -> None:
    codes = draw_codes(3000, 1)
    label = SCHEMA.label_index
    codes = np.concatenate([codes, codes[codes[:, label] == 1]])
    found = compare({0: sketch_of(3000, 2), 1: noisy_sketch(codes, 1)})
    assert found.conflicts[1, label]


def test_it_comes_back_from_its_arrays() -> None:
    found = compare({n: sketch_of(300, n) for n in range(2)})
    again = SiteComparison.from_arrays(found.to_arrays())
    for name, values in found.to_arrays().items():
        assert np.array_equal(values, again.to_arrays()[name], equal_nan=True)
