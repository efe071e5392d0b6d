"""The privacy loss of one Gaussian release, all its cells computed at once.

dp-accounting inverts the loss cell by cell in Python, and there are up to a hundred thousand cells.
Here the same numbers come from arrays, bit for bit; every other step is dp-accounting's own.

Reference: Doroshenko et al. 2022 (Connect the Dots), Algorithm 1.
"""

import math

import numpy as np
from dp_accounting.pld.pld_pmf import PLDPmf, create_pmf_pessimistic_connect_dots_fixed_gap
from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution
from dp_accounting.pld.privacy_loss_mechanism import AdjacencyType, GaussianPrivacyLoss
from numpy.typing import NDArray

__all__ = ["compute_release_loss"]

_Floats = NDArray[np.float64]

_CLOSE = 1e-9
"""Relative distance at which dp-accounting takes a loss for the end of its range."""


def compute_release_loss(noise: float, rate: float, width: float) -> PrivacyLossDistribution:
    """Return the privacy loss of one release when one unit is added or removed.

    Args:
        noise: noise multiplier, > 0.
        rate: probability that a unit is in the sample, in (0, 1].
        width: of the cells to which losses are rounded up.
    """
    removed = _compute_pmf(noise, rate, width, AdjacencyType.REMOVE)
    if rate == 1:
        return PrivacyLossDistribution(removed)
    return PrivacyLossDistribution(removed, _compute_pmf(noise, rate, width, AdjacencyType.ADD))


def _compute_pmf(noise: float, rate: float, width: float, change: AdjacencyType) -> PLDPmf:
    loss = GaussianPrivacyLoss(noise, sampling_prob=rate, adjacency_type=change)
    bounds = loss.connect_dots_bounds()
    lowest = math.floor(bounds.epsilon_lower / width)
    highest = math.ceil(bounds.epsilon_upper / width)
    epsilons = np.arange(lowest, highest + 1) * width
    if change == AdjacencyType.REMOVE:
        deltas = _compute_removed(loss, noise, rate, epsilons)
    else:
        deltas = _compute_added(loss, noise, rate, epsilons)
    return create_pmf_pessimistic_connect_dots_fixed_gap(
        width, lowest, highest, np.clip(deltas, 0, 1)
    )


def _compute_removed(
    loss: GaussianPrivacyLoss, noise: float, rate: float, epsilons: _Floats
) -> _Floats:
    """Return delta at every epsilon; without sampling it is the same for an added unit."""
    is_reached = epsilons > (math.log1p(-rate) if rate < 1 else -math.inf)
    deltas = -np.expm1(epsilons)  # where every loss is larger
    cuts = -0.5 - _without_sampling(epsilons[is_reached], rate) * noise**2
    deltas[is_reached] = _delta_below(loss, cuts, epsilons[is_reached])
    return deltas


def _compute_added(
    loss: GaussianPrivacyLoss, noise: float, rate: float, epsilons: _Floats
) -> _Floats:
    """Return delta at every epsilon, for a rate below 1."""
    is_reached = epsilons < -math.log1p(-rate)
    deltas = np.zeros(len(epsilons))  # where every loss is smaller
    cuts = 1 + (-0.5 + _without_sampling(-epsilons[is_reached], rate) * noise**2)
    deltas[is_reached] = _delta_below(loss, cuts, epsilons[is_reached])
    return deltas


def _delta_below(loss: GaussianPrivacyLoss, cuts: _Floats, epsilons: _Floats) -> _Floats:
    """Return P(x <= cut) - exp(epsilon) Q(x <= cut); the loss falls in x, and is epsilon there."""
    delta: _Floats = loss.mu_upper_cdf(cuts) - np.exp(epsilons + loss.mu_lower_log_cdf(cuts))
    return delta


def _without_sampling(losses: _Floats, rate: float) -> _Floats:
    """Return log(1 + (exp(loss) - 1) / rate), rounded as dp-accounting does."""
    if rate == 1:
        return losses
    scaled = losses + np.log(1 / rate)
    # Never nan, also where rounding puts a loss beyond the end of its range: it is -inf there.
    ratio = np.exp(np.minimum(np.log(1 / rate - 1) - scaled, 0))
    with np.errstate(divide="ignore"):
        found: _Floats = scaled + np.log1p(-ratio)
    found[losses == 0] = np.log(1 / rate + (1 - 1 / rate))
    end = math.log(1 - rate)
    is_end = np.abs(losses - end) <= _CLOSE * np.maximum(np.abs(losses), abs(end))
    found[is_end] = -math.inf
    return found
