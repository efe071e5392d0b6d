from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.aggregation import (
    ExactSum,
    FloatArray,
    PooledSketch,
    SketchSum,
    sum_in_any_order,
    weighted_average,
)


def pool(*sketches: tuple[FloatArray, float]) -> PooledSketch:
    total = SketchSum()
    for sketch, noise in sketches:
        total.add(sketch, noise)
    return total.pooled


@given(
    seed=st.integers(0, 1000),
    n_sites=st.integers(1, 5),
    weights=st.lists(st.floats(0.1, 10), min_size=5, max_size=5),
)
@settings(deadline=None, max_examples=30)
def test_average_agrees_with_a_naive_loop(seed: int, n_sites: int, weights: list[float]) -> None:
    rng = np.random.default_rng(seed)
    models = [
        [rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=4)] for _ in range(n_sites)
    ]
    average = weighted_average(models, weights[:n_sites])
    for i, array in enumerate(average):
        naive = np.zeros(array.shape)
        for model, weight in zip(models, weights, strict=False):
            naive = naive + np.asarray(model[i], np.float64) * weight / sum(weights[:n_sites])
        np.testing.assert_allclose(array, naive, rtol=1e-6, atol=1e-7)
        assert array.dtype == models[0][i].dtype
        assert array.shape == models[0][i].shape


def test_average_of_one_model_is_the_model() -> None:
    model = [np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)]
    np.testing.assert_array_equal(weighted_average([model], [3.0])[0], model[0])


def test_sums_do_not_depend_on_the_order_of_arrival() -> None:
    arrays = [np.random.default_rng(i).normal(size=50) * 10.0 ** (4 * i) for i in range(4)]
    sums = [sum_in_any_order(order) for order in itertools.permutations(arrays)]
    assert len({s.tobytes() for s in sums}) == 1


@given(exponents=st.lists(st.integers(-40, 50), min_size=1, max_size=40), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_a_sum_is_exact_to_a_tiny_part_of_one_whatever_is_added(
    exponents: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(exponents), 3)) * 2.0 ** np.array(exponents)[:, None]
    total = sum_in_any_order(list(values))
    exact = [math.fsum(column) for column in values.T]
    np.testing.assert_allclose(total, exact, rtol=2**-52, atol=len(exponents) * 2.0**-51)
    again = sum_in_any_order(list(rng.permutation(values)))
    assert again.tobytes() == total.tobytes()


def test_a_sum_carries_from_fractions_to_wholes_and_knows_its_bounds() -> None:
    total = ExactSum()
    for _ in range(10_000):
        total.add(np.array([0.999, -0.999]))
    np.testing.assert_allclose(total.total, [9990, -9990], rtol=1e-12)
    for bad in (np.array([np.nan, 0.0]), np.array([np.inf, 0.0]), np.array([1e17, 0.0])):
        with pytest.raises(ValueError, match="finite"):
            total.add(bad)
    assert total.count == 10_000


def test_pooled_sketch_is_the_sum_and_noise_variances_add_up() -> None:
    pooled = pool((np.array([1.0, 2.0]), 3.0), (np.array([10.0, 20.0]), 4.0))
    np.testing.assert_array_equal(pooled.values, [11.0, 22.0])
    assert pooled.noise_variance == 25.0


def test_float32_sketches_are_added_in_float64() -> None:
    pooled = pool((np.array([2**24], np.float32), 1.0), (np.array([1.0], np.float32), 1.0))
    assert pooled.values[0] == 2**24 + 1


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [float("nan"), 1.0]])
def test_bad_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        weighted_average([[np.ones(2)], [np.ones(2)]], weights)


def test_bad_sketches_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must all have shape \(2,\)"):
        pool((np.ones(2), 1.0), (np.ones(3), 1.0))
    with pytest.raises(ValueError, match="at least one"):
        pool()
    with pytest.raises(ValueError, match=">= 0"):
        pool((np.ones(2), -1.0))
    with pytest.raises(ValueError, match="flat"):
        pool((np.ones((2, 2)), 1.0))
