"""Privacy loss distributions of many releases, with dp-accounting, which this module waits for."""

import math
from collections import defaultdict

from dp_accounting import NeighboringRelation
from dp_accounting.pld.privacy_loss_distribution import (
    PrivacyLossDistribution,
    from_gaussian_mechanism,
)

from privacy.budget import Adjacency
from privacy.release_loss import compute_release_loss
from privacy.schedules import Schedule

__all__ = ["compose_losses", "merge_gaussians"]

_TAIL = 1e-15


def compose_losses(
    schedule: Schedule, width: float, adjacency: Adjacency
) -> PrivacyLossDistribution:
    """Return the privacy loss of all releases together, rounded up to cells of the given width.

    Mechanisms with the same number of steps are raised to it together: that is the slow part, and
    the order of composition does not matter.
    """
    groups: defaultdict[int, list[PrivacyLossDistribution]] = defaultdict(list)
    for noise, rate, steps in merge_gaussians(schedule):
        groups[steps].append(_compute_one(noise, rate, width, adjacency))
    return _compose_in_pairs(
        [
            # What is cut off from a tail counts as infinite loss, and is raised to the steps too.
            _compose_in_pairs(group, tail=_TAIL / steps).self_compose(steps)
            for steps, group in groups.items()
        ]
    )


def _compute_one(
    noise: float, rate: float, width: float, adjacency: Adjacency
) -> PrivacyLossDistribution:
    if adjacency is Adjacency.ADD_OR_REMOVE_ONE:
        return compute_release_loss(noise, rate, width)
    return from_gaussian_mechanism(
        standard_deviation=noise,
        value_discretization_interval=width,
        sampling_prob=rate,
        neighboring_relation=NeighboringRelation.REPLACE_ONE,
    )


def merge_gaussians(schedule: Schedule) -> Schedule:
    """Return a schedule in which one Gaussian release stands for all that no sampling precedes.

    Gaussian releases compose exactly: their 1 / noise squared add up.
    """
    plain = [(noise, steps) for noise, rate, steps in schedule if rate == 1]
    if not plain:
        return schedule
    merged = math.sqrt(1 / sum(steps / noise**2 for noise, steps in plain))
    return ((merged, 1.0, 1), *(item for item in schedule if item[1] != 1))


def _compose_in_pairs(
    losses: list[PrivacyLossDistribution], tail: float = _TAIL
) -> PrivacyLossDistribution:
    """Compose small with small, so that a long ledger does not convolve its whole sum each time."""
    while len(losses) > 1:
        pairs = zip(losses[::2], losses[1::2], strict=False)
        odd = losses[len(losses) - len(losses) % 2 :]
        losses = [one.compose(other, tail) for one, other in pairs] + odd
    return losses[0]
