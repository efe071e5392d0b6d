"""Attack scores: what a noisy release says about each canary, higher meaning more likely in.

Both are log-likelihood ratios, so that the scores of several releases add up.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["score_projections", "score_step"]

Scores = NDArray[np.float64]


def score_step(products: Scores, *, noise_multiplier: float, rate: float) -> Scores:
    """Score one step of a Poisson-sampled Gaussian mechanism; the scores of steps add up.

    Args:
        products: noisy sum along each canary's clipped gradient, in clips, ``(canaries,)``.
        noise_multiplier: standard deviation of the noise in them, > 0.
        rate: probability that a canary that is in enters a step, in (0, 1].

    Returns:
        Shape ``(canaries,)``. While noise is large, it grows in line with ``products``.
    """
    ratios = (2 * products - 1) / (2 * noise_multiplier**2)
    absent = math.log1p(-rate) if rate < 1 else -math.inf
    return np.asarray(np.logaddexp(absent, math.log(rate) + ratios))


def score_projections(
    release: NDArray[np.float64], contributions: Any, *, noise_std: float
) -> Scores:
    """Score one Gaussian release, given what each canary would have added to it.

    The release is projected onto each canary's own contribution, and what the other canaries
    probably added along it is taken out (linear regression on fair coins).

    Args:
        release: the noisy release without what the rows beside the canaries added, ``(entries,)``.
        contributions: sparse matrix ``(canaries, entries)``.
        noise_std: standard deviation of the noise in an entry, > 0.

    Returns:
        Shape ``(canaries,)``.
    """
    gram = (contributions @ contributions.T).toarray()
    coins = np.full(len(gram), 0.5)
    surprise = contributions @ release - gram @ coins
    # A coin's variance is 1/4, so noise weighs four times as much beside it.
    noisy = gram + 4 * noise_std**2 * np.eye(len(gram))
    inverse = np.linalg.inv(noisy)
    gain = np.einsum("ij,ji->i", inverse, gram)  # share of a coin that comes through
    return np.asarray(4 * (inverse @ surprise) / (1 - gain))
