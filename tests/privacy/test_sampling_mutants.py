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
    n_units, rate, steps = 200, 0.1, 2_000
    stream = SeededRandomness(2).stream("check")
    entered = np.zeros((steps, n_units))
    batches = list(sampler(n_units, sample_rate=rate, steps=steps, stream=stream))
    assert len(batches) == steps
    for step, batch in enumerate(batches):
        entered[step, batch.numpy()] = 1
    sizes, visits = entered.sum(axis=1), entered.sum(axis=0)
    variance = rate * (1 - rate)
    assert abs(sizes.mean() - n_units * rate) < 4 * math.sqrt(n_units * variance / steps)
    assert abs(sizes.var() / (n_units * variance) - 1) < 4 * math.sqrt(2 / steps)
    assert abs(visits.var() / (steps * variance) - 1) < 4 * math.sqrt(2 / n_units)
    for lag in (1, 2, 5, round(1 / rate)):  # nobody waits for the others before coming back
        covariance = ((entered[lag:] - rate) * (entered[:-lag] - rate)).mean()
        assert abs(covariance) < 4 * variance / math.sqrt(n_units * (steps - lag))
    assert (
        len(list(sampler(3, sample_rate=0.1, steps=60, stream=stream))) == 60
    )  # empty ones included


def shuffle(n_units, stream):
    return torch.from_numpy(np.argsort(stream.uniform(n_units)))


def shuffled_epochs(n_units, *, sample_rate, steps, stream):
    size = max(1, round(n_units * sample_rate))
    epochs = (shuffle(n_units, stream) for _ in itertools.count())
    batches = (batch for order in epochs for batch in order.split(size))
    return itertools.islice(batches, steps)


def fixed_size_draws(n_units, *, sample_rate, steps, stream):
    size = max(1, round(n_units * sample_rate))
    for _ in range(steps):
        yield shuffle(n_units, stream)[:size]


def shuffled_epochs_of_poisson_size(n_units, *, sample_rate, steps, stream):
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        size = int((stream.uniform(n_units) < sample_rate).sum())
        while len(order) < size:
            order = torch.cat([order, shuffle(n_units, stream)])
        batch, order = order[:size], order[size:]
        yield batch


def without_empty_batches(n_units, *, sample_rate, steps, stream):
    found = poisson_batches(n_units, sample_rate=sample_rate, steps=steps, stream=stream)
    return (batch for batch in found if len(batch))


def neighbours_together(n_units, *, sample_rate, steps, stream):
    pairs = poisson_batches(n_units // 2, sample_rate=sample_rate, steps=steps, stream=stream)
    return (torch.cat([2 * pair, 2 * pair + 1]) for pair in pairs)


def rate_from_row_count(n_units, *, sample_rate, steps, stream):
    loader_length = math.ceil(n_units * 1.1 * sample_rate) / (n_units * 0.95)
    return poisson_batches(n_units, sample_rate=loader_length, steps=steps, stream=stream)


def one_batch_for_ever(n_units, *, sample_rate, steps, stream):
    (batch,) = poisson_batches(n_units, sample_rate=sample_rate, steps=1, stream=stream)
    return itertools.repeat(batch, steps)


def favourite_rows(n_units, *, sample_rate, steps, stream):
    rates = sample_rate * torch.linspace(0.5, 1.5, n_units)
    for _ in range(steps):
        yield (torch.from_numpy(stream.uniform(n_units)) < rates).nonzero().reshape(-1)


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
