"""What noisy counts say: intervals that hold the truth, whatever the truth is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from tiny_world import SCHEMA, draw_codes

from synthesis.evaluation import (
    SCORE_BINS,
    SCORES_SENSITIVITY,
    Estimate,
    EvaluationLayout,
    HoldOutFigures,
    NoisyCounts,
    ScoreNetwork,
    compute_auc,
    compute_distance,
    compute_one_way,
    compute_scores,
    compute_two_way,
    estimate_auc,
    estimate_figures,
    train_score_network,
)
from synthesis.evaluation.distances import project_on_simplex

LAYOUT = EvaluationLayout.from_schema(SCHEMA)
NOISE = 3.73  # of one Gaussian release at epsilon 1, delta 1e-5
SITES = 4
FEW, TRIALS = 30, 100
SYNTHETIC = 20_000
POPULATION = draw_codes(100_000, seed=1)
KINDS = ("one_way", "two_way", "auc")
WORLDS = ("same", "independent", "one column", "level")


@cache
def synthetic_rows(world: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    codes = draw_codes(SYNTHETIC, seed=2)
    if world == "independent":
        return np.stack([rng.permutation(column) for column in codes.T], axis=1)
    if world == "level":
        noise = np.stack([rng.integers(size, size=SYNTHETIC) for size in LAYOUT.sizes], axis=1)
        return np.where(rng.random(codes.shape) < 0.5, noise, codes).astype(np.int16)
    if world == "one column":
        codes[:, 1] = np.where(rng.random(SYNTHETIC) < 0.6, 0, codes[:, 1])
    return codes


@cache
def network_of(world: str) -> ScoreNetwork:
    rng = torch.Generator().manual_seed(0)
    return train_score_network(LAYOUT, synthetic_rows(world), rng=rng)


@cache
def truth(world: str) -> dict[str, float]:
    synthetic = synthetic_rows(world)
    distances = [
        compute_distance(
            compute(LAYOUT, POPULATION) / len(POPULATION),
            compute(LAYOUT, synthetic) / len(synthetic),
            sizes,
        )
        for compute, sizes in (
            (compute_one_way, LAYOUT.sizes),
            (compute_two_way, LAYOUT.pair_sizes),
        )
    ]
    auc = compute_auc(compute_scores(network_of(world), LAYOUT, POPULATION))
    return dict(zip(KINDS, (*distances, auc), strict=True))


def measure(world: str, *, units: int, seed: int, noise: float = NOISE) -> HoldOutFigures:
    """Draw a hold-out, release it under noise from several sites, and estimate."""
    rng = np.random.default_rng(seed)
    held = POPULATION[rng.integers(len(POPULATION), size=units)]

    def release(exact: np.ndarray, sensitivity: float, share: float) -> NoisyCounts:
        std = noise * sensitivity * (SITES / share) ** 0.5
        return NoisyCounts(values=exact + rng.normal(0, std, exact.shape), noise_std=std)

    return estimate_figures(
        LAYOUT,
        synthetic_rows(world),
        one_way=release(compute_one_way(LAYOUT, held), LAYOUT.one_way_sensitivity, 0.25),
        two_way=release(compute_two_way(LAYOUT, held), LAYOUT.two_way_sensitivity, 0.5),
        scores=release(compute_scores(network_of(world), LAYOUT, held), SCORES_SENSITIVITY, 0.25),
        rng=rng,
    )


CASES = [
    pytest.param(world, units, TRIALS, marks=marks)
    for world in WORLDS
    for units, marks in ((1000, pytest.mark.slow), (4000, (pytest.mark.slow, pytest.mark.long)))
]


@pytest.mark.parametrize(("world", "units", "trials"), [("independent", 4000, FEW), *CASES])
def test_intervals_hold_the_truth_at_epsilon_1(world: str, units: int, trials: int) -> None:
    """In at least 90 of 100 studies, near the truth and far from it."""
    found = [measure(world, units=units, seed=seed) for seed in range(trials)]
    for kind in KINDS:
        estimates = [getattr(each, kind) for each in found]
        held = sum(each.low <= truth(world)[kind] <= each.high for each in estimates)
        assert held >= 0.9 * trials, (kind, held, truth(world)[kind])
    assert sum(each.units.low <= units <= each.units.high for each in found) >= 0.9 * trials


def test_the_worlds_are_near_and_far() -> None:
    assert truth("same")["two_way"] < 0.02
    assert truth("independent")["two_way"] > 0.15
    assert truth("independent")["one_way"] < 0.01
    assert truth("one column")["one_way"] > 0.1
    assert truth("same")["auc"] > 0.8 > 0.6 > abs(truth("independent")["auc"])


@pytest.mark.parametrize("world", WORLDS)
def test_without_much_noise_estimates_are_close(world: str) -> None:
    found = measure(world, units=50_000, seed=0, noise=0.01)
    for kind in KINDS:
        estimate = getattr(found, kind)
        assert estimate.value == pytest.approx(truth(world)[kind], abs=0.02)
        assert estimate.high - estimate.low < 0.05
    assert found.units.value == pytest.approx(50_000, rel=1e-3)


def test_the_plain_distance_would_be_far_too_large() -> None:
    """So the correction is not for show: the noise alone looks like a distance."""
    rng = np.random.default_rng(0)
    exact = compute_two_way(LAYOUT, POPULATION[:1000])
    noisy = exact + rng.normal(0, NOISE * LAYOUT.two_way_sensitivity * 8**0.5, exact.shape)
    shares = np.maximum(noisy, 0) / 1000
    reference = compute_two_way(LAYOUT, synthetic_rows("same")) / SYNTHETIC
    assert compute_distance(shares, reference, LAYOUT.pair_sizes) > 0.1
    assert truth("same")["two_way"] < 0.02


def test_more_noise_widens_the_intervals() -> None:
    widths = [
        [getattr(found, kind).high - getattr(found, kind).low for kind in KINDS]
        for noise in (0.1, 1.0, 10.0)
        if (found := measure("same", units=4000, seed=1, noise=noise))
    ]
    assert (np.diff(widths, axis=0) > 0).all()


@pytest.mark.parametrize("units", [0, 1, 20])
def test_hardly_any_units_say_nothing_and_do_not_fail(units: int) -> None:
    found = measure("same", units=units, seed=0)
    assert found.auc == Estimate(value=0.5, low=0.0, high=1.0)
    assert found.units.low <= units <= found.units.high
    for kind in ("one_way", "two_way"):
        assert getattr(found, kind).low == 0
        assert getattr(found, kind).high > 0.2


@pytest.mark.parametrize("value", [1e11, -1e11])
def test_nonsense_within_bounds_does_not_fail(value: float) -> None:
    def nonsense(length: int) -> NoisyCounts:
        return NoisyCounts(values=np.where(np.arange(length) % 3, value, -value), noise_std=1.0)

    found = estimate_figures(
        LAYOUT,
        synthetic_rows("same"),
        one_way=nonsense(sum(LAYOUT.sizes)),
        two_way=nonsense(sum(LAYOUT.pair_sizes)),
        scores=nonsense(2 * SCORE_BINS),
        rng=np.random.default_rng(0),
    )
    for kind in KINDS:
        estimate = getattr(found, kind)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_auc_counts_pairs_and_ties_one_half() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, 8).astype(float)
    others, positives = counts[:4], counts[4:]
    wins = sum(
        p * o * (1.0 if i > j else 0.5 if i == j else 0.0)
        for i, p in enumerate(positives)
        for j, o in enumerate(others)
    )
    assert compute_auc(counts) == pytest.approx(wins / (positives.sum() * others.sum()))


def test_auc_of_a_class_that_noise_hides_is_not_told() -> None:
    noisy = np.concatenate([np.full(SCORE_BINS, 100.0), np.full(SCORE_BINS, 0.5)])
    told = estimate_auc(noisy, 15.0, np.random.default_rng(0))
    assert told == Estimate(value=0.5, low=0.0, high=1.0)


def test_projection_gives_the_nearest_distribution() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(0.2, 0.5, (40, 6))
    nearest = project_on_simplex(rows)
    np.testing.assert_allclose(nearest.sum(axis=1), 1)
    assert nearest.min() >= 0
    for other in rng.dirichlet(np.ones(6), 200):
        gaps = np.linalg.norm(rows - other, axis=1) - np.linalg.norm(rows - nearest, axis=1)
        assert (gaps >= -1e-12).all()
    inside = rng.dirichlet(np.ones(6), 5)
    np.testing.assert_allclose(project_on_simplex(inside), inside)


def test_an_estimate_lies_in_its_interval() -> None:
    with pytest.raises(ValueError, match="interval"):
        Estimate(value=0.5, low=0.6, high=0.7)
