"""One-run bounds: against exact sums, a second implementation, and their own promise."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from privacy import GaussianEvent, SampledGaussianEvent, compute_epsilon
from privacy.audits import (
    Guesses,
    compute_p_value,
    f_dp_bound,
    gaussian_curve,
    guess_members,
    is_curve_refuted,
    ledger_curve,
    one_run_bound,
)
from privacy.audits.curves import find_mu

# 60 random cases and the bounds that jax-privacy 2.0.0 gives for them.
PINNED = json.loads(Path(__file__).with_name("jax_privacy_bounds.json").read_text())["cases"]


@st.composite
def some_guesses(draw) -> Guesses:
    canaries = draw(st.integers(1, 60))
    made = draw(st.integers(0, canaries))
    return Guesses(canaries=canaries, made=made, right=draw(st.integers(0, made)))


def exact_p_value(guesses: Guesses, rate: Fraction, delta: Fraction) -> Fraction:
    """The theorem, term by term, in whole numbers."""
    mass = [
        math.comb(guesses.made, k) * rate**k * (1 - rate) ** (guesses.made - k)
        for k in range(guesses.made + 1)
    ]
    right = guesses.right
    worst = max(
        (sum(mass[right - i : right], Fraction(0)) / i for i in range(1, right + 1)),
        default=Fraction(0),
    )
    return min(Fraction(1), sum(mass[right:], Fraction(0)) + 2 * guesses.canaries * delta * worst)


@settings(max_examples=60, deadline=None)
@given(some_guesses(), st.integers(1, 99), st.sampled_from([0, 1, 100]))
def test_the_p_value_is_that_of_exact_sums(guesses, odds: int, millionths: int) -> None:
    rate, delta = Fraction(odds, odds + 1), Fraction(millionths, 10**6)
    found = compute_p_value(guesses, epsilon=math.log(odds), delta=float(delta))
    assert found == pytest.approx(float(exact_p_value(guesses, rate, delta)), rel=1e-9)


@pytest.mark.parametrize("case", PINNED)
def test_bounds_are_those_of_a_second_implementation(case) -> None:
    canaries, made, right, delta, significance, one_run, f_dp = case
    guesses = Guesses(canaries=canaries, made=made, right=right)
    words = {"delta": delta, "significance": significance}
    assert one_run_bound(guesses, **words) == pytest.approx(one_run, abs=1e-5)
    assert f_dp_bound(guesses, **words) == pytest.approx(f_dp, abs=1e-5)


def test_the_second_implementation_still_says_so() -> None:
    theirs = pytest.importorskip("jax_privacy.auditing", reason="jax-privacy is not installed")
    for canaries, made, right, delta, significance, one_run, f_dp in PINNED:
        words = (0.0, canaries, made, right, significance, delta)
        assert theirs._epsilon_one_run(*words) == pytest.approx(one_run, abs=1e-6)
        assert theirs._epsilon_one_run_fdp(*words) == pytest.approx(f_dp, abs=1e-6)


@pytest.mark.parametrize(("made", "ceiling"), [(10, 1.05), (100, 3.49), (1000, 5.81)])
def test_no_guess_wrong_gives_the_known_ceiling(made: int, ceiling: float) -> None:
    guesses = Guesses(canaries=1000, made=made, right=made)
    assert one_run_bound(guesses, delta=0.0) == pytest.approx(ceiling, abs=0.005)


@settings(max_examples=30, deadline=None)
@given(some_guesses(), st.sampled_from([1e-6, 1e-3]))
def test_bounds_grow_with_right_guesses_and_shrink_with_confidence(guesses, delta: float) -> None:
    for bound in (one_run_bound, f_dp_bound):
        found = bound(guesses, delta=delta)
        assert found >= 0
        assert bound(guesses, delta=delta, significance=0.01) <= found
        if guesses.right < guesses.made:
            more = Guesses(canaries=guesses.canaries, made=guesses.made, right=guesses.right + 1)
            assert bound(more, delta=delta) >= found - 2e-6


def test_more_canaries_for_the_same_guesses_weaken_the_one_run_bound() -> None:
    few, many = (Guesses(canaries=m, made=200, right=160) for m in (200, 20_000))
    assert one_run_bound(many, delta=1e-4) < one_run_bound(few, delta=1e-4)
    assert one_run_bound(many, delta=0.0) == one_run_bound(few, delta=0.0)


def test_guessing_at_random_or_worse_shows_nothing() -> None:
    for right in (0, 90, 100):
        guesses = Guesses(canaries=1000, made=200, right=right)
        assert one_run_bound(guesses, delta=1e-5) == 0 == f_dp_bound(guesses, delta=1e-5)


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 3.0])
def test_a_true_claim_is_refuted_as_rarely_as_is_said(epsilon: float) -> None:
    """Randomised response makes each guess right with exactly the largest probability allowed."""
    made, rate = 100, math.exp(epsilon) / (1 + math.exp(epsilon))

    def curve(found: float) -> float:
        return max(0.0, found * math.exp(-epsilon), 1 - math.exp(epsilon) * (1 - found))

    one_run = f_dp = 0.0
    for right, mass in enumerate(stats.binom.pmf(np.arange(made + 1), made, rate)):
        guesses = Guesses(canaries=made, made=made, right=right)
        one_run += mass * (compute_p_value(guesses, epsilon=epsilon, delta=0.0) < 0.05)
        f_dp += mass * is_curve_refuted(guesses, curve, significance=0.05)
    assert 0.01 < one_run <= 0.05
    assert f_dp <= 0.05


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("delta", [1e-3, 1e-6])
def test_the_gaussian_of_an_epsilon_has_it_by_the_accountant(epsilon: float, delta: float) -> None:
    event = GaussianEvent(noise_multiplier=1 / find_mu(epsilon, delta), purpose="any")
    if event.noise_multiplier > 0.3:
        assert compute_epsilon([event], delta) == pytest.approx(epsilon, rel=2e-3)


def test_the_ledgers_curve_of_a_gaussian_is_the_gaussians() -> None:
    event = GaussianEvent(noise_multiplier=1.7, purpose="any")
    curve, exact = ledger_curve([event], 1e-5), gaussian_curve(compute_epsilon([event], 1e-5), 1e-5)
    for found in np.linspace(0.0, 1.0, 41):
        assert curve(found) == pytest.approx(exact(found), abs=2e-4)
        assert curve(found) <= exact(found) + 1e-5  # it claims no more than the accountant


def test_a_ledger_with_more_events_claims_a_lower_curve() -> None:
    step = {"noise_multiplier": 1.5, "sample_rate": 0.1, "purpose": "any"}
    few, many = (ledger_curve([SampledGaussianEvent(steps=n, **step)], 1e-5) for n in (20, 200))
    assert all(many(found) <= few(found) for found in np.linspace(0.05, 0.95, 19))


def test_members_are_guessed_from_both_ends() -> None:
    scores = np.array([3.0, -1.0, 0.0, 2.0, -2.0, 1.0])
    included = np.array([True, True, False, False, False, True])
    assert guess_members(scores, included, made=4) == Guesses(canaries=6, made=4, right=2)
    assert guess_members(scores, included, made=2).right == 2


@pytest.mark.parametrize("made", [0, 3, 8])
def test_a_number_of_guesses_that_cannot_be_is_refused(made: int) -> None:
    with pytest.raises(ValueError, match="made must be even and in"):
        guess_members(np.zeros(6), np.zeros(6, dtype=bool), made=made)


def test_scores_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="scores must be numbers"):
        guess_members(np.array([0.0, np.nan]), np.zeros(2, dtype=bool), made=2)
    with pytest.raises(ValueError, match="one entry for each canary"):
        guess_members(np.zeros(4), np.zeros(3, dtype=bool), made=2)


@pytest.mark.parametrize("wrong", [(0, 0, 0), (5, 6, 1), (5, 2, 3), (5, 2, -1)])
def test_counts_that_cannot_be_are_refused(wrong) -> None:
    canaries, made, right = wrong
    with pytest.raises(ValueError, match="canaries"):
        Guesses(canaries=canaries, made=made, right=right)


@pytest.mark.parametrize(
    ("epsilon", "one_run", "f_dp"),
    [
        (1, (0.04, 0.37), (0.06, 0.51)),
        (4, (1.19, 1.67), (1.63, 2.33)),
        (10, (2.76, 3.65), (4.11, 5.76)),
    ],
)
def test_an_ideal_auditor_sees_as_much_as_is_known(epsilon, one_run, f_dp) -> None:
    """The median lies within the 10 % and 90 % points of another prototype's 100 runs."""
    rng, shift = np.random.default_rng(0), find_mu(epsilon, 1e-5)
    seen = []
    for _ in range(25):
        included = rng.random(1000) < 0.5
        scores = included * shift + rng.standard_normal(1000)
        guesses = guess_members(scores, included, made=300)
        seen.append((one_run_bound(guesses, delta=1e-5), f_dp_bound(guesses, delta=1e-5)))
    assert np.max(seen) <= epsilon  # no violation
    for found, (low, high) in zip(np.median(seen, axis=0), (one_run, f_dp), strict=True):
        assert low <= found <= high
