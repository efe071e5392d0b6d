"""Intervals of an AUC and of a share, and how surprising each would be if nothing were found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom, norm, rankdata

from synthesis.evaluation.estimate import Estimate

TWO_SIDED = 1.959964
"""Standard errors on each side of an estimate in a 95 % interval."""


def estimate_auc(
    members: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[Estimate, float]:
    """Return the AUC of scores with its 95 % interval, and the p-value of an AUC of at most 0.5.

    Whatever the scores are distributed like, and with ties, which count one half.

    Args:
        members: scores ``(n_members,)``; higher means more likely a member. At least two.
        others: scores ``(n_others,)``; at least two.

    Reference: DeLong, DeLong and Clarke-Pearson 1988, in the form of Sun and Xu 2014.
    """
    m, n = len(members), len(others)
    joint = rankdata(np.concatenate([members, others]))
    below = (joint[:m] - rankdata(members)) / n  # share of others below each member
    above = 1 - (joint[m:] - rankdata(others)) / m  # share of members above each other
    auc = float(below.mean())
    error = float(np.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n))
    reach = TWO_SIDED * error
    estimate = Estimate(value=auc, low=max(0.0, auc - reach), high=min(1.0, auc + reach))
    if error == 0:  # all scores are equal, or all members stand above all others
        return estimate, 0.0 if auc > 0.5 else 1.0
    return estimate, float(norm.sf((auc - 0.5) / error))


def estimate_share(successes: int, tries: int) -> Estimate:
    """Return a share with its 95 % interval; the interval is [0, 1] where nothing was tried.

    >>> estimate_share(0, 100)
    Estimate(value=0.0, low=0.0, high=0.037)

    Reference: Wilson 1927.
    """
    if tries == 0:
        return Estimate(value=0.0, low=0.0, high=1.0)
    share, squared = successes / tries, TWO_SIDED**2 / tries
    middle = share + squared / 2
    reach = (squared * (share * (1 - share) + squared / 4)) ** 0.5
    low, high = (middle - reach) / (1 + squared), (middle + reach) / (1 + squared)
    return Estimate(value=share, low=max(0.0, min(share, low)), high=min(1.0, max(share, high)))


def compare_shares(found: int, control: int, tries: int) -> float:
    """Return the p-value of so many successes, if ``found`` and ``control`` were equally likely.

    Args:
        found: successes among ``tries``.
        control: successes among as many others.
        tries: of each kind, >= 0.

    Reference: Fisher's exact test, one-sided.
    """
    return float(hypergeom.sf(found - 1, 2 * tries, found + control, tries))
