"""The AUC of a classifier, told from two noisy histograms of its scores."""

from __future__ import annotations

import numpy as np

from synthesis.evaluation.distances import TWO_SIDED, project_on_simplex
from synthesis.evaluation.estimate import Estimate
from synthesis.layout import Counts

SIMULATIONS = 400
FEWEST = 3.0
"""Standard errors that the size of a class must be above zero for a ranking to be told."""


def compute_auc(counts: Counts) -> float:
    """Return the chance that a positive unit is in a higher bin; ties count one half.

    Args:
        counts: two histograms side by side, ``(2 * n_bins,)``, the others first; neither sums to 0.
    """
    others, positives = np.split(counts, 2)
    below = np.cumsum(others) - others / 2
    return float(positives @ below / (positives.sum() * others.sum()))


def estimate_auc(noisy: Counts, noise_std: float, rng: np.random.Generator) -> Estimate:
    """Return the AUC with a 95 % interval from simulated noise and simulated draws of the units.

    Bins are not clipped before the AUC is taken: what noise makes negative in one bin it makes too
    large in another, and only together they are right on average.

    Args:
        noisy: pooled noisy counts, two histograms side by side.
        noise_std: standard deviation of the noise in every bin.
        rng: public randomness.

    Returns:
        The interval is [0, 1] where noise hides how many units a class has.
    """
    classes = np.split(noisy, 2)
    sizes = np.array([each.sum() for each in classes])
    if sizes.min() <= FEWEST * noise_std * len(classes[0]) ** 0.5 or sizes.min() < 2:
        return Estimate(value=0.5, low=0.0, high=1.0)
    value = compute_auc(noisy)
    likely = [
        project_on_simplex(each[None] / size)[0] for each, size in zip(classes, sizes, strict=True)
    ]
    draws = np.concatenate(
        [
            rng.multinomial(round(size), shares / shares.sum(), size=SIMULATIONS)
            for size, shares in zip(sizes, likely, strict=True)
        ],
        axis=1,
    )
    noisy_draws = draws + rng.normal(0.0, noise_std, size=draws.shape)
    simulated = np.array([compute_auc(each) for each in noisy_draws])
    middle = compute_auc(np.concatenate([s * n for s, n in zip(likely, sizes, strict=True)]))
    reach = TWO_SIDED * float(np.sqrt(np.mean(np.square(simulated - middle))))
    value = float(np.clip(value, 0.0, 1.0))
    return Estimate(value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))
