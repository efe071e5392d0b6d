"""The discrete Gaussian against its own formula, and floats against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from privacy import RandomStream, SeededRandomness, discrete_gaussian
from privacy.discrete_gaussian import bound_discretisation, sample_discrete_gaussian


def stream(name: str = "draws") -> RandomStream:
    return SeededRandomness(3).stream(name)


def exact_masses(sigma: float, reach: int) -> NDArray[np.float64]:
    """Probabilities of -reach .. reach."""
    weights = np.exp(-(np.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def fit_of(drawn: NDArray[np.int64], masses: NDArray[np.float64]) -> float:
    """P-value of a chi-square test; cells expected less than 20 times are put together."""
    reach = len(masses) // 2
    seen = np.bincount(np.clip(drawn, -reach, reach) + reach, minlength=len(masses))
    expected = masses * len(drawn)
    usual = expected >= 20
    seen = np.append(seen[usual], seen[~usual].sum())
    expected = np.append(expected[usual], expected[~usual].sum())
    return float(stats.chisquare(seen, expected).pvalue)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.7])
def test_small_draws_follow_the_exact_masses(sigma: float) -> None:
    drawn = sample_discrete_gaussian(Fraction(sigma), 200_000, stream())
    assert fit_of(drawn, exact_masses(sigma, 30)) > 1e-3


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.7])
def test_another_sigma_or_a_rounded_normal_would_be_found(sigma: float) -> None:
    drawn = sample_discrete_gaussian(Fraction(sigma) * 51 / 50, 200_000, stream())
    assert fit_of(drawn, exact_masses(sigma, 30)) < 1e-6
    if sigma < 1:  # above, the two cannot be told apart, which is the point of the bound
        rounded = np.rint(stream().normal(200_000) * sigma).astype(np.int64)
        assert fit_of(rounded, exact_masses(sigma, 30)) < 1e-6


def test_large_draws_have_the_moments_symmetry_and_low_bits_of_their_law() -> None:
    sigma, number = 2.0**25, 200_000
    drawn = sample_discrete_gaussian(Fraction(sigma), number, stream())
    scaled = drawn / sigma
    error = 4 / math.sqrt(number)
    assert abs(scaled.mean()) < error
    assert abs((scaled**2).mean() - 1) < error * math.sqrt(2)
    assert abs((scaled**3).mean()) < error * math.sqrt(15)
    assert abs((scaled**4).mean() - 3) < error * math.sqrt(96)
    assert stats.kstest(scaled, "norm").pvalue > 1e-3
    assert abs((drawn > 0).mean() - (drawn < 0).mean()) < error
    for modulus in (2, 3, 256):
        rest = np.bincount(drawn % modulus, minlength=modulus)
        assert stats.chisquare(rest).pvalue > 1e-3
    assert abs(np.corrcoef(scaled[1:], scaled[:-1])[0, 1]) < error


@pytest.mark.parametrize("sigma", [Fraction(1, 2), Fraction(37, 10), Fraction(2**25) / 3])
def test_floats_decide_as_exact_arithmetic_does(
    sigma: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a band that holds everything no float decides; the same bits give the same draws."""
    quick = sample_discrete_gaussian(sigma, 300, stream("same"))
    decided: list[bool] = []
    exactly = discrete_gaussian._flip_exactly

    def watched(word: int, gamma: Fraction, bits: RandomStream) -> bool:
        decided.append(exactly(word, gamma, bits))
        return decided[-1]

    monkeypatch.setattr(discrete_gaussian, "_BAND", 2.0)
    monkeypatch.setattr(discrete_gaussian, "_flip_exactly", watched)
    exact = sample_discrete_gaussian(sigma, 300, stream("same"))
    assert (quick == exact).all()
    assert len(decided) > 300 * 3  # every coin of every proposal
    assert len(set(decided)) == 2


@pytest.mark.parametrize("gamma", [Fraction(0), Fraction(1, 3), Fraction(1), Fraction(70, 3)])
def test_exact_coins_ask_for_more_bits_until_they_are_sure(gamma: Fraction) -> None:
    """The first 64 bits are those of exp(-gamma) itself, so only later ones can decide."""
    asked: list[int] = []

    def reader(content: int):
        def read(number: int) -> bytes:
            asked.append(number)
            return bytes([content]) * number

        return RandomStream(lambda: read)

    low, high = discrete_gaussian._enclose_exp(gamma, digits=60)
    assert 0 <= high - low < Fraction(1, 10**50)
    if gamma == 0:
        assert discrete_gaussian._flip_exactly(2**64 - 1, gamma, reader(0))
        return
    word = int(low * 2**64)
    assert discrete_gaussian._flip_exactly(word, gamma, reader(0))
    assert not discrete_gaussian._flip_exactly(word, gamma, reader(255))
    assert sum(asked) >= 16


def test_bounds_of_exp_hold_what_many_digits_say() -> None:
    for gamma in (Fraction(1, 7), Fraction(1), Fraction(355, 113), Fraction(90)):
        low, high = discrete_gaussian._enclose_exp(gamma, digits=40)
        lowest, highest = discrete_gaussian._enclose_exp(gamma, digits=120)
        assert low <= lowest <= highest <= high
        assert float(lowest) == pytest.approx(math.exp(-gamma), rel=1e-14)


@pytest.mark.parametrize("sigma", [Fraction(0), Fraction(-1), Fraction(2**50 + 1)])
def test_sigma_out_of_range_is_refused(sigma: Fraction) -> None:
    with pytest.raises(ValueError, match="sigma must be"):
        sample_discrete_gaussian(sigma, 1, stream())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_as_many_draws_as_asked(number: int) -> None:
    assert sample_discrete_gaussian(Fraction(5), number, stream()).shape == (number,)


@pytest.mark.parametrize("sigma", [2.0**10, 2.0**14, 2.0**18])
def test_masses_are_within_the_bound_of_a_rounded_gaussian(sigma: float) -> None:
    """One coordinate: the ratio of a cell's integral to its mass, by quadrature."""
    places, weights = np.polynomial.legendre.leggauss(12)
    x = places / 2  # the cell is [-1/2, 1/2]
    k = np.linspace(-12 * sigma, 12 * sigma, 2_001).round()[:, None]
    integrand = np.exp(-(k * x) / sigma**2 - x**2 / (2 * sigma**2))
    log_ratio = np.log1p(((integrand - 1) * (weights / 2)).sum(axis=1))
    assert log_ratio.max() <= (12 * sigma) ** 2 / (24 * sigma**4) * (1 + 1e-6)
    assert log_ratio.min() >= -1 / (8 * sigma**2)
    assert 2 * np.abs(log_ratio).max() <= bound_discretisation(sigma, 1)
    assert 2 * np.abs(log_ratio).max() > 0.1 * bound_discretisation(sigma, 1)  # not a loose bound


@pytest.mark.parametrize("noise_multiplier", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_delta_is_that_of_the_continuous_gaussian_within_the_bound(
    noise_multiplier: float, epsilon: float
) -> None:
    """The exact privacy profile of the coarsest grid allowed, for one shifted coordinate."""
    sigma = 2**10
    shift = round(sigma / noise_multiplier)
    k = np.arange(-45 * sigma, 45 * sigma + 1.0)
    masses, shifted = (np.exp(-((k - s) ** 2) / (2 * sigma**2)) for s in (0, shift))
    total = sigma * math.sqrt(2 * math.pi)
    found = np.maximum(shifted - math.exp(epsilon) * masses, 0).sum() / total
    mu = shift / sigma

    def continuous(at: float) -> float:
        normal = stats.norm
        return float(normal.cdf(mu / 2 - at / mu) - math.exp(at) * normal.cdf(-mu / 2 - at / mu))

    slack = bound_discretisation(sigma, 1)
    assert continuous(epsilon + slack) * (1 - 1e-9) <= found
    assert found <= continuous(epsilon - slack) * (1 + 1e-9)


@pytest.mark.parametrize("order", [2, 10, 60])
def test_renyi_divergence_is_at_most_that_of_the_continuous_gaussian(order: int) -> None:
    """Canonne, Kamath and Steinke 2020, Proposition 5: no slack at all, even on a coarse grid."""
    for sigma, shift in [(0.8, 1), (5.0, 3), (60.0, 100)]:
        k = np.arange(-200.0 * sigma - 200, 200 * sigma + 200)
        logs = [-((k - s) ** 2) / (2 * sigma**2) for s in (0, shift)]
        log_total = math.log(np.exp(logs[0]).sum())
        terms = order * logs[1] + (1 - order) * logs[0] - log_total
        most = terms.max()
        divergence = (most + math.log(np.exp(terms - most).sum())) / (order - 1)
        assert divergence <= order * shift**2 / (2 * sigma**2) * (1 + 1e-9)
