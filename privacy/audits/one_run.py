"""The one-run bound: how large must epsilon be, if so many guesses about canaries were right?

Every canary of one single run is in or out by an independent fair coin. If the run is
(epsilon, delta)-differentially private for adding or removing one of them, the number of right
guesses is hardly larger than a binomial number with the success probability
e^epsilon / (1 + e^epsilon).

Reference: Steinke, Nasr and Jagielski 2023, "Privacy Auditing with One (1) Training Run",
Theorem 5.2.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from privacy.audits.guesses import Guesses
from privacy.audits.search import find_largest
from privacy.checks import check_in_unit_interval

__all__ = ["compute_p_value", "one_run_bound"]


def compute_p_value(guesses: Guesses, *, epsilon: float, delta: float) -> float:
    """Return a bound on the probability of so many right guesses under (epsilon, delta)-DP.

    With W ~ Binomial(made, e^epsilon / (1 + e^epsilon)), v right guesses and m canaries it is
    P[W >= v] + 2 m delta max over i = 1..v of P[v - i <= W < v] / i, at most 1.

    Args:
        guesses: of one run.
        epsilon: the claim, >= 0.
        delta: the claim, in [0, 1).
    """
    rate, right = expit(epsilon), guesses.right
    at_least = float(binom.sf(right - 1, guesses.made, rate))
    if right == 0:
        return 1.0
    steps = np.arange(1, right + 1)
    just_below = binom.sf(right - steps - 1, guesses.made, rate) - at_least  # P[v - i <= W < v]
    worst = float((just_below / steps).max())
    return min(1.0, at_least + 2 * guesses.canaries * delta * worst)


def one_run_bound(guesses: Guesses, *, delta: float, significance: float = 0.05) -> float:
    """Return the largest epsilon that the guesses refute, >= 0; zero means no violation shown.

    Args:
        guesses: of one run.
        delta: failure probability of the claim, in [0, 1).
        significance: one minus the confidence, in (0, 1).
    """
    check_in_unit_interval(significance, name="significance")
    return find_largest(
        lambda epsilon: compute_p_value(guesses, epsilon=epsilon, delta=delta) < significance
    )
