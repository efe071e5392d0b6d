"""Intervals of attacks: against naive formulas, other libraries, and how often they are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import roc_auc_score

from synthesis.attacks import compare_shares
from synthesis.attacks.intervals import estimate_auc, estimate_share


def delong_by_pairs(members: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """AUC and its standard error from all pairs, as DeLong et al. 1988 write it."""
    wins = (members[:, None] > others) + 0.5 * (members[:, None] == others)
    variance = wins.mean(1).var(ddof=1) / len(members) + wins.mean(0).var(ddof=1) / len(others)
    return float(wins.mean()), float(variance**0.5)


@pytest.mark.parametrize("has_ties", [False, True])
def test_the_auc_and_its_interval_are_those_of_all_pairs(has_ties: bool) -> None:
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.4, 1, 130), rng.normal(0, 1, 170)
    if has_ties:
        members, others = members.round(), others.round()
    auc, error = delong_by_pairs(members, others)
    found, p_value = estimate_auc(members, others)
    truth = np.r_[np.ones(130), np.zeros(170)]
    assert found.value == pytest.approx(roc_auc_score(truth, np.r_[members, others]))
    assert (found.value, found.high - found.low) == pytest.approx((auc, 2 * 1.959964 * error))
    assert 0 < p_value < 0.05


def test_scores_that_say_nothing_are_no_success_and_perfect_ones_are() -> None:
    constant, p_value = estimate_auc(np.zeros(100), np.zeros(100))
    assert (constant.value, p_value) == (0.5, 1.0)
    perfect, p_value = estimate_auc(np.arange(100, 200.0), np.arange(100.0))
    assert (perfect.value, perfect.high, p_value) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(("shift", "auc"), [(0.0, 0.5), (0.7416, 0.7)])
def test_the_interval_of_an_auc_covers_the_truth_as_often_as_it_says(
    shift: float, auc: float
) -> None:
    rng = np.random.default_rng(1)
    found = [estimate_auc(rng.normal(shift, 1, 200), rng.normal(0, 1, 200))[0] for _ in range(1000)]
    covered = np.mean([each.low <= auc <= each.high for each in found])
    assert 0.93 <= covered <= 0.97  # 0.95, three standard errors to each side


def test_shares_have_the_published_wilson_intervals() -> None:
    # Newcombe 1998, table 1, method 3.
    for successes, tries, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = estimate_share(successes, tries)
        assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    assert estimate_share(20, 20).high == 1.0
    nothing = estimate_share(0, 0)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


@pytest.mark.parametrize(("found", "control"), [(30, 10), (10, 30), (0, 0), (50, 50), (7, 6)])
def test_two_shares_are_compared_by_fishers_exact_test(found: int, control: int) -> None:
    table = [[found, 50 - found], [control, 50 - control]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert compare_shares(found, control, 50) == pytest.approx(expected)
