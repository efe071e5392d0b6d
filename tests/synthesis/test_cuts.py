"""Cells cut by a condition: the part that is left, and draws from it, against rejection."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from synthesis.schema import Continuous, Datetime, Integer
from synthesis.schema.cuts import Cuts

LOG = Integer(
    name="x", minimum=0, maximum=999, bins=6, transform="log", point_masses=(0, 7, 8, 60, 999)
)
PLAIN = Integer(name="x", minimum=0, maximum=99, bins=7, point_masses=(0, 50))
FINE = Continuous(name="x", minimum=0, maximum=1, decimals=9, bins=3)
DAYS = Datetime(name="x", minimum="2020-01-01", maximum="2029-12-31", bins=5)
RANGES = {
    "LOG": (LOG, ((3, 8), (20, 20), (22, 61), (400, 999))),
    "PLAIN": (PLAIN, ((5, 20), (22, 49), (51, 51), (90, 99))),
    "FINE": (FINE, ((100_000_000, 700_000_000), (700_000_002, 700_000_002))),
    "DAYS": (DAYS, ((0, 99), (101, 2_000))),
}


def holds_in(places: np.ndarray, ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.any([(first <= places) & (places <= last) for first, last in ranges], axis=0)


@pytest.mark.parametrize(("column", "ranges"), RANGES.values(), ids=RANGES)
def test_draws_are_those_that_rejection_would_keep(column, ranges) -> None:
    grid = column.grid
    cuts = Cuts.of(grid, ranges)
    for cell, share in enumerate(cuts.shares):
        codes = np.full(60_000, cell + len(grid.masses))
        free = grid.decode(codes, np.random.default_rng(cell))
        kept = free[holds_in(free, ranges)]
        assert len(kept) / len(free) == pytest.approx(share, abs=0.011)  # 5 standard errors
        if share == 0:
            continue
        drawn = cuts.decode(codes, np.random.default_rng(100 + cell))
        assert holds_in(drawn, ranges).all()
        np.testing.assert_array_equal(grid.encode(drawn), codes)
        if len(kept) > 200:
            edges = np.unique(np.quantile(np.append(kept, drawn), np.linspace(0, 1, 30)))
            edges = np.append(edges, edges[-1] + 1)
            table = np.array([np.histogram(each, edges)[0] for each in (kept, drawn)])
            assert chi2_contingency(table[:, table.sum(0) > 0]).pvalue > 1e-4


def test_a_single_value_in_a_bin_of_a_third_of_a_billion_is_drawn_at_once() -> None:
    cuts = Cuts.of(FINE.grid, ((500_000_000, 500_000_000),))
    assert cuts.shares.tolist() == pytest.approx([0, 3e-9, 0], rel=0.01)
    drawn = cuts.decode(np.ones(1_000, dtype=np.int64), np.random.default_rng(0))
    assert set(drawn) == {500_000_000}


def test_whole_cells_are_left_whole() -> None:
    cuts = Cuts.of(LOG.grid, ((0, 999),))
    np.testing.assert_allclose(cuts.shares, 1, rtol=1e-12)


def test_point_masses_are_let_be() -> None:
    cuts = Cuts.of(LOG.grid, ((5, 300),))
    masses = np.arange(len(LOG.point_masses))
    drawn = cuts.decode(masses, np.random.default_rng(0))
    assert drawn.tolist() == list(LOG.point_masses)
