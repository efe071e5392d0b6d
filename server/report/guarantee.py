"""What (epsilon, delta) means for one unit, in numbers a person can picture."""

import math

from server.report.model import Report
from server.report.parts import Part, Share

PRIORS = (0.01, 0.1, 0.5, 0.9)


class Belief(Part):
    """How far all releases together can move someone's belief that a unit took part."""

    before: Share
    """Probability before looking."""
    least: Share
    """The lowest it can become."""
    most: Share
    """The highest it can become."""


def compute_belief(epsilon: float, before: float) -> Belief:
    """Return how far (epsilon, 0)-privacy lets a belief move; delta is the chance of more.

    The odds change by at most a factor of e^epsilon, so fifty-fifty becomes at most
    e^epsilon / (1 + e^epsilon).

    >>> round(compute_belief(1.0, 0.5).most, 3)
    0.731
    """
    odds = math.log(before) - math.log1p(-before)
    return Belief(before=before, least=_sigmoid(odds - epsilon), most=_sigmoid(odds + epsilon))


def compute_detection_rate(epsilon: float, delta: float, false_alarms: float) -> float:
    """Return the largest share of members any attack can find at a given share of false alarms.

    Reference: Kairouz, Oh, Viswanath 2015, Theorem 2.1.

    >>> round(compute_detection_rate(1.0, 0.0, 0.01), 4)
    0.0272
    """
    caught = math.exp(min(epsilon, 700.0)) * false_alarms + delta
    missed = 1 - math.exp(-epsilon) * (1 - delta - false_alarms)
    return max(0.0, min(1.0, caught, missed))


def worst_epsilon(report: Report) -> float | None:
    """Return the most any unit of one site is exposed to: the promise, or older spending above it.

    Returns None without privacy.
    """
    if not report.private or report.promise.epsilon is None:
        return None
    spent = [site.total.pld for site in report.sites if site.total is not None]
    return max([report.promise.epsilon, *spent])


def _sigmoid(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
