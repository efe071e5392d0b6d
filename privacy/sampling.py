"""Poisson sampling of units, the sampling that the accountant assumes."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from privacy.checks import check_in_unit_interval, check_positive_int
from privacy.random_stream import RandomStream

__all__ = ["poisson_batches"]


def poisson_batches(
    n_units: int, *, sample_rate: float, steps: int, stream: RandomStream
) -> Iterator[torch.Tensor]:
    """Yield exactly `steps` batches; in each, every unit is in or out by its own coin.

    Batch sizes vary and may be 0. An empty batch is a step like any other: noise must be added and
    it is counted, because its emptiness is private too. A coin compares 64 random bits with the
    rate; Opacus' sampler compares 24 bits of a Mersenne Twister, and refuses an empty table.

    Args:
        n_units: number of units held, private, >= 0.
        sample_rate: probability of each coin, declared in public, in (0, 1]; rounded down to a
            multiple of 2**-64.
        steps: number of batches, >= 1.
        stream: source of the coins.

    Returns:
        An iterator over int64 tensors of unit indices in rising order, shape `(batch_size,)`.

    Raises:
        ValueError: if an argument is out of range.
    """
    rate = check_in_unit_interval(sample_rate, name="sample_rate")
    check_positive_int(steps, name="steps")
    if n_units < 0:
        raise ValueError("n_units must be >= 0")
    return (_flip_coins(n_units, rate, stream) for _ in range(steps))


def _flip_coins(n_units: int, rate: float, stream: RandomStream) -> torch.Tensor:
    if rate == 1:
        return torch.arange(n_units)
    threshold = np.uint64(math.floor(math.ldexp(rate, 64)))  # a power of two: exact
    entered = np.flatnonzero(stream.bits(n_units) < threshold)
    return torch.from_numpy(entered.astype(np.int64))  # (batch_size,)
