"""Exact draws from the discrete Gaussian: whole numbers k with probability ~ exp(-k^2 / 2 sigma^2).

No rounding of a float reaches the result. A coin of probability exp(-gamma) is decided by random
bits and a float64 value of exp(-gamma) only where that value, with an error far below `_BAND`,
leaves no doubt; the rest is decided with more bits and rational numbers. How many proposals are
drawn depends on the noise alone, never on what it is added to.

Reference: Canonne, Kamath and Steinke 2020, Algorithms 2 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from privacy.random_stream import RandomStream

__all__ = ["bound_discretisation", "sample_discrete_gaussian"]

MAX_SIGMA = 2.0**50
"""Above, proposals would come near the end of int64."""

# Rounding in gamma and in exp is worth at most some 2**-48 of probability for every gamma used here
# (x exp(-x) and x exp(-x^2 / 2) are below 1), so a thousandth of a billionth is ample.
_BAND = 2.0**-40
_PROPOSALS_PER_DRAW = 2.2
_TAIL = 12.0

_Integers = NDArray[np.int64]
_Flags = NDArray[np.bool_]


def sample_discrete_gaussian(sigma: Fraction, n: int, stream: RandomStream) -> _Integers:
    """Return `n` independent draws, shape `(n,)`, with mean 0 and variance near sigma^2.

    Args:
        sigma: scale in steps of the grid, an exact number in (0, 2**50].
        n: number of draws, >= 0.
        stream: source of the bits.

    Raises:
        ValueError: if sigma is out of range.
    """
    if not 0 < sigma <= MAX_SIGMA:
        raise ValueError(f"sigma must be in (0, 2**50] steps of the grid, got {float(sigma):g}")
    found = np.empty(0, dtype=np.int64)
    while len(found) < n:
        number = math.ceil((n - len(found)) * _PROPOSALS_PER_DRAW) + 16
        found = np.concatenate([found, _propose(sigma, number, stream)])
    return found[:n]


def bound_discretisation(sigma: float, coordinates: int) -> float:
    """Return how much epsilon the discrete Gaussian may cost above the continuous one.

    Let a release add discrete Gaussian noise to whole numbers of which one unit changes at most
    `coordinates`. Each probability P(k) differs from that of a rounded continuous Gaussian, R(k),
    by a factor: with s = sigma, log(R(k) / P(k)) lies between -1 / (8 s^2) and k^2 / (24 s^4),
    because R(k) / P(k) is the integral of exp(-k x / s^2 - x^2 / (2 s^2)) over |x| <= 1/2 (Z and
    the root of 2 pi s^2 agree to exp(-2 pi^2 s^2)). Unchanged coordinates cancel. So, where the
    changed ones have a norm of at most s (sqrt(coordinates) + 12), the joint factor is at most

        eta = max(coordinates / 8, (sqrt(coordinates) + 12)^2 / 24) / s^2,

    and elsewhere lies a probability below exp(-60) (a Gaussian of that many coordinates leaves a
    ball of radius s (sqrt(coordinates) + 11.5) with probability exp(-66), and rounding moves it by
    less than s / 2). A rounded Gaussian is a continuous one, post-processed, so (epsilon, delta) of
    the continuous mechanism becomes (epsilon + 2 eta, exp(eta) (delta + exp(epsilon - 60))) here.

    Args:
        sigma: scale in steps of the grid, at least 1024.
        coordinates: numbers that one unit can change, from 1 to 2**20.

    Returns:
        2 eta, below 4e-6 for sigma >= 2**18 and up to 2**20 coordinates.
    """
    return 2 * max(coordinates / 8, (math.sqrt(coordinates) + _TAIL) ** 2 / 24) / sigma**2


def _propose(sigma: Fraction, number: int, stream: RandomStream) -> _Integers:
    """Return what is left of `number` proposals, about a half."""
    scale = math.floor(sigma) + 1
    drawn = _propose_laplace(scale, number, stream)
    size, centre = np.abs(drawn), sigma * sigma / scale
    gamma = (size - float(centre)) ** 2 / (2.0 * float(sigma) ** 2)

    def exact(place: int) -> Fraction:
        return (int(size[place]) - centre) ** 2 / (2 * sigma * sigma)

    return drawn[_flip(gamma, exact, stream)]


def _propose_laplace(scale: int, number: int, stream: RandomStream) -> _Integers:
    """Return draws k with probability ~ exp(-|k| / scale), from `number` proposals."""
    offset = stream.integers(np.full(number, scale))
    kept = _flip(offset / scale, lambda place: Fraction(int(offset[place]), scale), stream)
    offset = offset[kept]
    size = offset + scale * _count_heads(len(offset), stream)
    negative = stream.bits(len(size)) >= np.uint64(2**63)
    signed = np.where(negative, -size, size)
    once = ~(negative & (size == 0))  # else 0 would come twice as often
    return np.asarray(signed[once], dtype=np.int64)


def _count_heads(number: int, stream: RandomStream) -> _Integers:
    """Return how often a coin of probability exp(-1) shows heads before the first tails."""
    heads = np.zeros(number, dtype=np.int64)
    going = np.arange(number)
    while len(going):
        going = going[_flip(np.ones(len(going)), lambda place: Fraction(1), stream)]
        heads[going] += 1
    return heads


def _flip(
    gamma: NDArray[np.float64], exact: Callable[[int], Fraction], stream: RandomStream
) -> _Flags:
    """Return one coin of probability exp(-gamma) for each gamma.

    Args:
        gamma: float64 values near the true ones, >= 0.
        exact: gives the true gamma at an index.
        stream: source of the bits.
    """
    words = stream.bits(len(gamma))
    # The uniform number lies within 2**-53, much less than the band, above `lower`.
    lower = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    probability = np.exp(-gamma)
    heads: _Flags = lower < probability
    for place in np.flatnonzero(np.abs(lower - probability) <= _BAND):
        heads[place] = _flip_exactly(int(words[place]), exact(int(place)), stream)
    return heads


def _flip_exactly(word: int, gamma: Fraction, stream: RandomStream) -> bool:
    """Compare the uniform number that starts with these 64 bits with exp(-gamma)."""
    known = 64
    while True:
        low, high = _enclose_exp(gamma, digits=known // 3 + 20)
        if Fraction(word + 1, 2**known) <= low:
            return True
        if Fraction(word, 2**known) >= high:
            return False
        word, known = (word << 64) | int(stream.bits(1)[0]), known + 64


def _enclose_exp(gamma: Fraction, *, digits: int) -> tuple[Fraction, Fraction]:
    """Return bounds of exp(-gamma); decimal division and exp round correctly to `digits`."""
    context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    rounded = context.divide(Decimal(-gamma.numerator), Decimal(gamma.denominator))
    near = Fraction(context.exp(rounded))
    error = Fraction(1, 10 ** (digits - 3))
    return near - error, near + error
