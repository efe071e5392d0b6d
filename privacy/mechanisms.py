"""The Gaussian mechanism on counts, with exact noise on a grid."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from privacy.checks import check_positive
from privacy.discrete_gaussian import sample_discrete_gaussian
from privacy.random_stream import RandomStream

__all__ = ["GRID", "gaussian_mechanism"]

GRID = 2**20
"""Steps of the grid in one whole count."""

_MOST = 2.0**40
_FEWEST_STEPS = 2**10


def gaussian_mechanism(
    counts: NDArray[np.floating] | NDArray[np.integer],
    *,
    sensitivity: float,
    noise_multiplier: float,
    stream: RandomStream,
) -> NDArray[np.float64]:
    """Return the counts with discrete Gaussian noise of scale noise_multiplier x sensitivity.

    It is the release of one `GaussianEvent(noise_multiplier)`, if one unit moves `counts` by at
    most `sensitivity`. Counts and noise are whole numbers of steps of the grid and are added as
    such, so no low bit of a float betrays its input. Accounting by the continuous Gaussian holds:
    the Renyi divergences are at most those of the continuous one (Canonne, Kamath and Steinke
    2020, Theorem 14), and an epsilon by PLD grows by at most `bound_discretisation`: below 4e-6
    from a quarter of a count of noise on, up to a million counts that one unit can change.

    Args:
        counts: private, any shape, each an exact multiple of 1 / GRID (whole counts are), smaller
            than 2**40 in size.
        sensitivity: largest L2 change one unit can cause in `counts` as a whole, > 0.
        noise_multiplier: noise scale divided by the sensitivity, > 0.
        stream: source of the noise.

    Returns:
        Multiples of 1 / GRID, as far as float64 can tell them apart (below 2**33).

    Raises:
        ValueError: if a setting is out of range, a count does not lie on the grid, or the noise is
            below 2**10 steps of it. No count is shown.
    """
    sigma = GRID * (
        Fraction(check_positive(sensitivity, name="sensitivity"))
        * Fraction(
            check_positive(
                noise_multiplier,
                name="noise_multiplier",
                hint="use calibrate_gaussian(...) or make_plan(...) to derive it",
            )
        )
    )
    if sigma < _FEWEST_STEPS:
        raise ValueError(
            "sensitivity x noise_multiplier must be at least 2**10 steps of the grid 1 / GRID, "
            f"got {float(sigma):g} steps; release counts of a larger sensitivity or add more noise"
        )
    steps = _to_grid(np.asarray(counts))
    noise = sample_discrete_gaussian(sigma, steps.size, stream).reshape(steps.shape)
    return np.asarray((steps + noise) / GRID, dtype=np.float64)


def _to_grid(counts: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.int64]:
    exact = counts.astype(np.float64)
    if not (np.abs(exact) < _MOST).all():  # also finds NaN
        raise ValueError("counts must be finite and smaller than 2**40 in size")
    steps = exact * GRID  # a power of two: exact
    if (steps != np.rint(steps)).any():
        raise ValueError(
            "counts must be whole multiples of 1 / GRID; use whole counts, or round every unit's "
            "weights down to the grid before adding them up"
        )
    return steps.astype(np.int64)
