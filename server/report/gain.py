"""The part of a report about what an attacker could gain at most, in numbers for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from server.report.parts import NotNegative, Part, Share

if TYPE_CHECKING:  # reading a report computes nothing
    from privacy import Budget, Event
    from privacy.audits.gain import Gain as Measured

PRIORS: Final = (0.01, 0.1, 0.5, 0.9)


class Belief(Part):
    """How far all releases together can move someone's belief that a unit took part."""

    before: Share
    """Probability before looking."""
    least: Share
    """The lowest it can become."""
    most: Share
    """The highest it can become."""


class Rates(Part):
    """What the best test for one unit can do at most, whatever else the attacker knows."""

    true_positive_1_percent: Share
    """Share of those who took part that it finds while it wrongly accuses 1 % of the others."""
    true_positive_0_1_percent: Share
    """The same while it wrongly accuses 0.1 % of the others."""
    posterior_1_percent: Share
    """Probability that whom it accuses took part, if half did, at 1 % false positives."""
    posterior_0_1_percent: Share
    """The same at 0.1 % false positives."""
    right_guesses: Share
    """Share of right answers to whether one took part, if half did; a coin has 0.5."""


class Gain(Part):
    """What an attacker could gain at most at the site that is exposed most."""

    epsilon: NotNegative
    """The most that one unit of any site is exposed to, at ``delta``."""
    delta: Share
    """The failure probability."""
    beliefs: tuple[Belief, ...]
    """What this epsilon allows for several beliefs, but for a chance of about delta."""
    from_losses: Rates
    """Read off the privacy loss distribution of the events: nothing is left out."""
    from_epsilon_delta: Rates
    """What epsilon and delta alone would allow, for comparison; never smaller."""


def build_gain(sites: Iterable[Sequence[Event]], promised: Budget) -> Gain:
    """Return the most that any site's events allow.

    Args:
        sites: the events of each site; equal ones are computed once.
        promised: to every site.
    """
    from privacy import compute_epsilon
    from privacy.audits.gain import allowed_gain, measure_gain

    epsilon, delta = promised.epsilon, promised.delta
    distinct = dict.fromkeys(tuple(events) for events in sites)
    worst = max([epsilon, *(compute_epsilon(events, delta) for events in distinct)])
    rates = [_rates(measure_gain(events, delta)) for events in distinct or [()]]
    most = {name: max(getattr(rate, name) for rate in rates) for name in Rates.model_fields}
    return Gain(
        epsilon=worst,
        delta=delta,
        beliefs=list_beliefs(worst),
        from_losses=Rates.model_validate(most),
        from_epsilon_delta=_rates(allowed_gain(worst, delta)),
    )


def list_beliefs(epsilon: float) -> tuple[Belief, ...]:
    """Return how far (epsilon, 0)-privacy lets several beliefs move."""
    return tuple(compute_belief(epsilon, prior) for prior in PRIORS)


def compute_belief(epsilon: float, before: float) -> Belief:
    """Return how far (epsilon, 0)-privacy lets a belief move; delta is the chance of more.

    The odds change by at most a factor of e^epsilon, so fifty-fifty becomes at most
    e^epsilon / (1 + e^epsilon).

    >>> round(compute_belief(1.0, 0.5).most, 3)
    0.731
    """
    odds = math.log(before) - math.log1p(-before)
    return Belief(before=before, least=_sigmoid(odds - epsilon), most=_sigmoid(odds + epsilon))


def _rates(gain: Measured) -> Rates:
    coarse, sharp = gain.found_at_1_percent, gain.found_at_0_1_percent
    return Rates(
        true_positive_1_percent=coarse,
        true_positive_0_1_percent=sharp,
        posterior_1_percent=coarse / (coarse + 0.01),
        posterior_0_1_percent=sharp / (sharp + 0.001),
        right_guesses=gain.right,
    )


def _sigmoid(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
