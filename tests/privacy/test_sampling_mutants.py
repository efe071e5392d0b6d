"""Checks of sampling that can fail: applied to the real thing, then to broken versions of it."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from privacy import SeededRandomness, poisson_batches

Sampler = Callable[..., Iterator[torch.Tensor]]


def check_poisson_batches(sampler: Sampler) -> None:
    """Fail unless every row enters every batch by its own independent coin."""
    n_rows, rate, steps = 200, 0.1, 2_000
    rng = SeededRandomness(2).torch("check")
    entered = np.zeros((steps, n_rows))
    batches = list(sampler(n_rows, sample_rate=rate, steps=steps, rng=rng))
    assert len(batches) == steps
    for step, batch in enumerate(batches):
        entered[step, batch.numpy()] = 1
    sizes, visits = entered.sum(axis=1), entered.sum(axis=0)
    variance = rate * (1 - rate)
    assert abs(sizes.mean() - n_rows * rate) < 4 * math.sqrt(n_rows * variance / steps)
    assert abs(sizes.var() / (n_rows * variance) - 1) < 4 * math.sqrt(2 / steps)
    assert abs(visits.var() / (steps * variance) - 1) < 4 * math.sqrt(2 / n_rows)
    for lag in (1, 2, 5, round(1 / rate)):  # nobody waits for the others before coming back
        covariance = ((entered[lag:] - rate) * (entered[:-lag] - rate)).mean()
        assert abs(covariance) < 4 * variance / math.sqrt(n_rows * (steps - lag))
    assert len(list(sampler(3, sample_rate=0.1, steps=60, rng=rng))) == 60  # empty ones included


def shuffled_epochs(n_rows, *, sample_rate, steps, rng):
    size = max(1, round(n_rows * sample_rate))
    epochs = (torch.randperm(n_rows, generator=rng) for _ in itertools.count())
    batches = (batch for order in epochs for batch in order.split(size))
    return itertools.islice(batches, steps)


def fixed_size_draws(n_rows, *, sample_rate, steps, rng):
    size = max(1, round(n_rows * sample_rate))
    for _ in range(steps):
        yield torch.randperm(n_rows, generator=rng)[:size]


def shuffled_epochs_of_poisson_size(n_rows, *, sample_rate, steps, rng):
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        size = int((torch.rand(n_rows, generator=rng) < sample_rate).sum())
        while len(order) < size:
            order = torch.cat([order, torch.randperm(n_rows, generator=rng)])
        batch, order = order[:size], order[size:]
        yield batch


def without_empty_batches(n_rows, *, sample_rate, steps, rng):
    found = poisson_batches(n_rows, sample_rate=sample_rate, steps=steps, rng=rng)
    return (batch for batch in found if len(batch))


def neighbours_together(n_rows, *, sample_rate, steps, rng):
    pairs = poisson_batches(n_rows // 2, sample_rate=sample_rate, steps=steps, rng=rng)
    return (torch.cat([2 * pair, 2 * pair + 1]) for pair in pairs)


def rate_from_row_count(n_rows, *, sample_rate, steps, rng):
    loader_length = math.ceil(n_rows * 1.1 * sample_rate) / (n_rows * 0.95)
    return poisson_batches(n_rows, sample_rate=loader_length, steps=steps, rng=rng)


def one_batch_for_ever(n_rows, *, sample_rate, steps, rng):
    (batch,) = poisson_batches(n_rows, sample_rate=sample_rate, steps=1, rng=rng)
    return itertools.repeat(batch, steps)


def favourite_rows(n_rows, *, sample_rate, steps, rng):
    rates = sample_rate * torch.linspace(0.5, 1.5, n_rows)
    for _ in range(steps):
        yield (torch.rand(n_rows, generator=rng) < rates).nonzero().reshape(-1)


def test_batches_are_poisson_samples() -> None:
    check_poisson_batches(poisson_batches)


@pytest.mark.parametrize(
    "mutant",
    [
        shuffled_epochs,
        fixed_size_draws,
        shuffled_epochs_of_poisson_size,
        without_empty_batches,
        neighbours_together,
        rate_from_row_count,
        one_batch_for_ever,
        favourite_rows,
    ],
)
def test_other_batches_are_found(mutant: Sampler) -> None:
    with pytest.raises(AssertionError):
        check_poisson_batches(mutant)
