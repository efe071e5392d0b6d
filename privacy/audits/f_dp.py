"""The one-run bound for a whole trade-off curve, which is tighter than for one (epsilon, delta).

Reference: Mahloujifar, Melis and Chaudhuri 2024, "Auditing f-Differential Privacy in One Run",
Algorithm 'audit_rh_with_cap'.
"""

from __future__ import annotations

from privacy.audits.curves import Curve, gaussian_curve
from privacy.audits.guesses import Guesses
from privacy.audits.search import find_largest
from privacy.checks import check_in_unit_interval

__all__ = ["f_dp_bound", "is_curve_refuted"]


def is_curve_refuted(guesses: Guesses, curve: Curve, *, significance: float = 0.05) -> bool:
    """Return whether so many right guesses are too many for a mechanism with this curve.

    Args:
        guesses: of one run, the canaries in or out by fair coins.
        curve: what the mechanism is claimed to be.
        significance: one minus the confidence, in (0, 1].
    """
    check_in_unit_interval(significance, name="significance")
    made, right, canaries = guesses.made, guesses.right, guesses.canaries
    hits = significance * right / canaries
    misses = significance * (made - right) / canaries
    for number in range(right - 1, -1, -1):
        raised = max(misses, curve(hits))
        if raised == misses:
            break  # neither changes any more
        hits = min(1.0, hits + number / (made - number) * (raised - misses))
        misses = raised
    return hits + misses > made / canaries


def f_dp_bound(guesses: Guesses, *, delta: float, significance: float = 0.05) -> float:
    """Return the largest epsilon whose Gaussian curve the guesses refute; 0: no violation shown.

    It refutes that the mechanism tells no more than the Gaussian mechanism which is exactly
    (epsilon, delta)-DP. That is a smaller claim than (epsilon, delta)-DP itself.

    Args:
        guesses: of one run.
        delta: failure probability of the claim, in (0, 1).
        significance: one minus the confidence, in (0, 1].
    """
    return find_largest(
        lambda epsilon: is_curve_refuted(
            guesses, gaussian_curve(epsilon, delta), significance=significance
        )
    )
