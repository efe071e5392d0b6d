"""Several sketches as one though some are bad, the noise of that, and who is unlike the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tiny_world import draw_codes, make_layout

from strategies.robust_sketch import (
    LEVEL,
    SiteSketches,
    cap_largest,
    count_differing,
    pool_robustly,
)
from strategies.rules import RULES, HeldRule, RuleSettings, make_rule
from synthesis.layout import compute_sketch
from synthesis.targets import estimate_rows

LAYOUT = make_layout()
ROBUST = [name for name, rule in RULES.items() if "bad_sites" in rule.usual]
ROWS = (900, 1100, 1000, 1300, 800, 1000, 1200, 950)


def make(name: str, bad: int = 1) -> HeldRule:
    rule = make_rule(name, RuleSettings(bad_sites=bad))
    assert isinstance(rule, HeldRule)
    return rule


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def draw(rows: Sequence[int] = ROWS, noise: float = 1.0, seed: int = 0) -> list[np.ndarray]:
    """Sketches of sites whose rows are of one population."""
    draws = np.random.default_rng(seed)
    return [
        (
            compute_sketch(LAYOUT, draw_codes(n, 1000 * seed + i))
            + noise * LAYOUT.sensitivity * draws.standard_normal(LAYOUT.dimension)
        ).astype(np.float32)
        for i, n in enumerate(rows)
    ]


def sketches_of(sketches: Sequence[np.ndarray], noise: float = 1.0) -> SiteSketches:
    rows = [estimate_rows(LAYOUT, sketch.astype(np.float64)) for sketch in sketches]
    return SiteSketches.of(sketches, rows, [noise] * len(sketches))


@pytest.mark.parametrize("name", ROBUST)
def test_honest_sketches_come_to_about_their_sum(name: str) -> None:
    sketches = draw(noise=0.3)
    pooled = pool_robustly(sketches_of(sketches, 0.3), make(name), rng())
    total = np.sum(sketches, axis=0)
    assert np.abs(pooled.values - total).sum() < 0.12 * np.abs(total).sum()
    # The largest site counts as the one before it.
    assert estimate_rows(LAYOUT, pooled.values) == pytest.approx(sum(ROWS), rel=0.05)


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("attack", ["shifted", "hundredfold", "both", "noise"])
def test_a_bad_sketch_moves_little_and_the_plain_sum_much(name: str, attack: str) -> None:
    sketches = draw(noise=0.3)
    honest = np.sum(sketches[:-1], axis=0)
    if attack == "noise":
        sketches[-1] = np.random.default_rng(3).normal(0, 1e5, LAYOUT.dimension).astype(np.float32)
    else:
        parts = zip(LAYOUT.blocks, LAYOUT.split(sketches[-1].astype(np.float64)), strict=True)
        roll = attack != "hundredfold"
        moved = [b.scale * (np.roll(c, 1, axis=0) if roll else c).ravel() for b, c in parts]
        times = 1 if attack == "shifted" else 100
        sketches[-1] = (times * np.concatenate(moved)).astype(np.float32)
    pooled = pool_robustly(sketches_of(sketches, 0.3), make(name), rng())

    def distance(values: np.ndarray) -> float:
        return float(np.abs(values / values.sum() - honest / honest.sum()).sum())

    assert distance(pooled.values) < 0.12
    if attack in ("both", "noise"):
        assert distance(np.sum(sketches, axis=0)) > 3 * distance(pooled.values)
    assert estimate_rows(LAYOUT, pooled.values) < 1.3 * sum(ROWS)


@pytest.mark.parametrize("name", ROBUST)
@pytest.mark.parametrize("rows", [(1000,) * 9, (200, 300, 500, 800, 1300, 2000, 3000, 4000, 5000)])
def test_the_noise_that_is_told_is_the_noise_there_is(name: str, rows: tuple[int, ...]) -> None:
    """With expected counts at every site, so that noise alone is left to differ."""
    truth = compute_sketch(LAYOUT, draw_codes(20_000)) / 20_000
    draws = np.random.default_rng(7)
    noise = 3.0 * LAYOUT.sensitivity * draws.standard_normal((9, 4 * LAYOUT.dimension))
    sketches = SiteSketches(
        shares=np.stack(
            [np.tile(truth, 4) + noise[i] / n for i, n in enumerate(rows)], dtype=np.float32
        ),
        rows=np.array(rows, dtype=np.float64),
        noise_multipliers=np.full(9, 3.0),
        canaries=np.zeros(9),
    )
    pooled = pool_robustly(sketches, make(name), rng())
    total = cap_largest(sketches.rows, 1).sum()
    found = np.std(pooled.values - total * np.tile(truth, 4))
    told = pooled.noise_variance**0.5 * LAYOUT.sensitivity
    assert told == pytest.approx(found, rel=0.1)


def test_the_median_of_many_equal_sites_has_the_noise_of_the_textbook() -> None:
    sketches = SiteSketches(
        shares=np.zeros((101, 3), np.float32),
        rows=np.full(101, 50.0),
        noise_multipliers=np.full(101, 2.0),
        canaries=np.zeros(101),
    )
    pooled = pool_robustly(sketches, make("median"), rng())
    plain_sum = 101 * 2.0**2
    assert pooled.noise_variance == pytest.approx(np.pi / 2 * plain_sum, rel=0.03)


def test_a_site_that_states_huge_noise_does_not_make_all_counts_worthless() -> None:
    sketches = draw(noise=0.3)
    honest = sketches_of(sketches, 0.3)
    lying = SiteSketches(
        shares=honest.shares,
        rows=honest.rows,
        noise_multipliers=np.array([0.3] * 7 + [1e6]),
        canaries=np.zeros(8),
    )
    for name in ROBUST:
        told = [pool_robustly(each, make(name), rng()).noise_variance for each in (honest, lying)]
        assert told[1] == pytest.approx(told[0])


@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
def test_sites_of_one_population_are_not_said_to_differ(noise: float) -> None:
    alarms = sum(
        bool(
            count_differing(
                sketches_of(draw(noise=noise, seed=seed), noise), LAYOUT.sensitivity
            ).any()
        )
        for seed in range(12)
    )
    assert alarms == 0  # at a level of 0.01 one in 12 would be one chance in nine
    assert LEVEL == 0.01


def test_a_site_with_other_labels_is_told_from_all_others() -> None:
    sketches = draw(noise=0.3)
    parts = zip(LAYOUT.blocks, LAYOUT.split(sketches[3].astype(np.float64)), strict=True)
    moved = np.concatenate([b.scale * np.roll(c, 1, axis=0).ravel() for b, c in parts])
    sketches[3] = moved.astype(np.float32)
    counts = count_differing(sketches_of(sketches, 0.3), LAYOUT.sensitivity)
    assert counts.tolist() == [1, 1, 1, 7, 1, 1, 1, 1]


def test_what_noise_drowns_is_not_said_to_differ() -> None:
    sketches = draw(noise=300.0)
    sketches[3] = sketches[3][::-1].copy()
    counts = count_differing(sketches_of(sketches, 300.0), LAYOUT.sensitivity)
    assert not counts.any()


def test_the_largest_count_as_the_next_one() -> None:
    values = np.array([5.0, 900.0, 2.0, 40.0])
    assert cap_largest(values, 1).tolist() == [5, 40, 2, 40]
    assert cap_largest(values, 2).tolist() == [5, 5, 2, 5]
