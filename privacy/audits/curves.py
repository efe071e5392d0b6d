"""Trade-off curves: how many members can be found without accusing too many others?

A curve is given the share of members that a test finds and returns the least share of non-members
that it must accuse, whatever the test.

Reference: Dong, Roth and Su 2022, "Gaussian differential privacy".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri

from privacy.accounting import DISCRETE_NOISE_SLACK, choose_interval
from privacy.budget import Adjacency
from privacy.events import Event, GaussianEvent
from privacy.losses import compose_losses
from privacy.schedules import make_schedule

__all__ = ["Curve", "find_mu", "gaussian_curve", "ledger_curve"]

Curve = Callable[[float], float]
"""Share of members found, in [0, 1], to the least share of others accused, in [0, 1]."""

_LARGEST_MU = 1e4
_POINTS = 2001


def gaussian_curve(epsilon: float, delta: float) -> Curve:
    """Return the curve of the Gaussian mechanism that is exactly (epsilon, delta)-DP."""
    mu = find_mu(epsilon, delta)
    return lambda found: float(ndtr(ndtri(found) - mu))


@lru_cache(maxsize=4096)
def find_mu(epsilon: float, delta: float) -> float:
    """Return sensitivity over noise of the Gaussian mechanism that is exactly (epsilon, delta)-DP.

    Reference: Balle and Wang 2018, Theorem 8.

    Raises:
        ValueError: if epsilon is below 0 or delta not in (0, 1).
    """
    if not (epsilon >= 0 and 0 < delta < 1):
        raise ValueError(f"epsilon must be >= 0 and delta in (0, 1), got {epsilon} and {delta}.")

    def excess(log_mu: float) -> float:
        mu = math.exp(log_mu)
        low, high = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
        return float(ndtr(low) - math.exp(epsilon + log_ndtr(high))) - delta

    return math.exp(brentq(excess, math.log(1e-12), math.log(_LARGEST_MU), xtol=1e-12))


def ledger_curve(events: Sequence[Event], delta: float) -> Curve:
    """Return the curve of all events together, as the accountant of the ledger sees them.

    It is the upper envelope of finitely many of the lines that the privacy loss distribution
    implies, so it never claims more than the accountant does.

    Args:
        events: of one part of the data set, at least one.
        delta: failure probability in (1e-10, 1); losses that are rarer are not looked at.
    """
    schedule = make_schedule(events)
    width = choose_interval(schedule, delta)
    losses = compose_losses(schedule, width, Adjacency.ADD_OR_REMOVE_ONE)
    epsilons = np.linspace(0.0, float(losses.get_epsilon_for_delta(delta)), _POINTS)
    deltas = np.asarray(losses.get_delta_for_epsilon(epsilons))
    slack = DISCRETE_NOISE_SLACK * sum(isinstance(event, GaussianEvent) for event in events)
    factors = np.exp(epsilons + slack)

    def curve(found: float) -> float:
        # (epsilon, delta)-DP: found <= e^epsilon accused + delta, and the same of what is left.
        above = (found - deltas) / factors
        beyond = 1.0 - deltas - factors * (1.0 - found)
        return float(max(0.0, above.max(), beyond.max()))

    return curve
