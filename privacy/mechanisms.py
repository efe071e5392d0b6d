"""The Gaussian mechanism on arrays."""

import math

import numpy as np
from numpy.typing import NDArray

from privacy.checks import check_positive

__all__ = ["gaussian_mechanism"]

# Floating-point noise can betray its input through the low bits of the sum. Adding several draws
# (as Opacus' secure mode does, Holohan and Braghin 2021) and rounding the result to a grid far
# coarser than a float64, far finer than the noise, removes what is known to leak.
_DRAWS = 4
_GRID_BITS = 20


def gaussian_mechanism(
    values: NDArray[np.floating] | NDArray[np.integer],
    *,
    sensitivity: float,
    noise_multiplier: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the values with Gaussian noise of standard deviation noise_multiplier x sensitivity.

    The result is rounded to a power of two about a millionth of the noise. It is the release of one
    `GaussianEvent(noise_multiplier)`, if one unit moves `values` by at most `sensitivity`.

    Args:
        values: exact numbers, private, any shape, all finite.
        sensitivity: largest L2 change one unit can cause in `values` as a whole, > 0.
        noise_multiplier: noise standard deviation divided by the sensitivity, > 0.
        rng: source of the noise; a seeded one is for experiments only.

    Raises:
        ValueError: if a setting is out of range or a value is not finite.
    """
    noise_std = check_positive(sensitivity, name="sensitivity") * check_positive(
        noise_multiplier,
        name="noise_multiplier",
        hint="use calibrate_gaussian(...) or make_plan(...) to derive it",
    )
    exact = np.asarray(values, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise ValueError("values must be finite; replace missing and infinite entries first")
    noise = np.zeros_like(exact)
    for _ in range(_DRAWS):
        noise += rng.normal(0.0, noise_std / math.sqrt(_DRAWS), size=exact.shape)
    grid = 2.0 ** (math.floor(math.log2(noise_std)) - _GRID_BITS)
    return np.asarray(np.round((exact + noise) / grid) * grid, dtype=np.float64)
