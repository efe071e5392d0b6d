"""Where a search for noise begins: a guess at the right noise, which no promise rests on.

Many small releases together act like one of Gaussian noise (a central limit theorem), and what that
costs has a formula. It is exact for Gaussian releases and too low for sampled ones, so nothing may
be reported or spent by it.
"""

import math
from collections.abc import Callable

from privacy.events import Event
from privacy.schedules import Schedule, make_schedule

__all__ = ["estimate_log_noise"]

_LOG_GAINS = (math.log(1e-12), math.log(1e5))


def estimate_log_noise(
    events: Callable[[float], tuple[Event, ...]],
    epsilon: float,
    delta: float,
    lowest: float,
    highest: float,
) -> float:
    """Return the logarithm of the noise at which `events(noise)` should cost about `epsilon`.

    Args:
        events: what is released with a noise multiplier; dearer with less noise.
        epsilon: aimed at, > 0.
        delta: in (0, 1).
        lowest: least logarithm to return.
        highest: largest logarithm to return.

    Reference: Balle and Wang 2018, theorem 8 (one Gaussian release); Bu, Dong, Long and Su 2020,
    "Deep Learning with Gaussian Differential Privacy", corollary 4 (many sampled ones).
    """
    from scipy.optimize import brentq

    gain = _find_gain(epsilon, delta)

    def excess(log_noise: float) -> float:
        return _add_gains(make_schedule(events(math.exp(log_noise)))) - gain

    if excess(lowest) <= 0:
        return lowest
    if excess(highest) >= 0:
        return highest
    return float(brentq(excess, lowest, highest))


def _add_gains(schedule: Schedule) -> float:
    """Return one over the noise of the Gaussian release that a schedule acts like."""
    squares = (
        steps / noise**2 if rate == 1 else steps * rate**2 * math.expm1(noise**-2)
        for noise, rate, steps in schedule
    )
    return math.sqrt(sum(squares))


def _find_gain(epsilon: float, delta: float) -> float:
    """Return one over the noise with which a single Gaussian release costs (epsilon, delta)."""
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    def excess(log_gain: float) -> float:
        gain = math.exp(log_gain)
        gained, paid = log_ndtr([gain / 2 - epsilon / gain, -gain / 2 - epsilon / gain])
        return float(math.exp(gained) - math.exp(epsilon + paid)) - delta

    return math.exp(brentq(excess, *_LOG_GAINS))
