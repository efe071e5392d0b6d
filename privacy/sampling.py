"""Poisson sampling of units, the sampling that the accountant assumes."""

from collections.abc import Iterator

import torch
from opacus.utils.uniform_sampler import UniformWithReplacementSampler

from privacy.checks import check_in_unit_interval, check_positive_int

__all__ = ["poisson_batches"]


def poisson_batches(
    n_rows: int, *, sample_rate: float, steps: int, rng: torch.Generator
) -> Iterator[torch.Tensor]:
    """Yield exactly `steps` batches; in each, every row is in or out by its own coin.

    Batch sizes vary and may be 0. An empty batch is a step like any other: noise must be added and
    it is counted, because its emptiness is private too.

    Args:
        n_rows: number of units held, private, >= 0.
        sample_rate: probability of each coin, declared in public, in (0, 1].
        steps: number of batches, >= 1.
        rng: source of the coins.

    Returns:
        An iterator over int64 tensors of row indices in rising order, shape `(batch_size,)`.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_in_unit_interval(sample_rate, name="sample_rate")
    check_positive_int(steps, name="steps")
    if n_rows < 0:
        raise ValueError("n_rows must be >= 0")
    return _batches(n_rows, sample_rate, steps, rng)


def _batches(
    n_rows: int, sample_rate: float, steps: int, rng: torch.Generator
) -> Iterator[torch.Tensor]:
    if n_rows == 0:  # Opacus refuses an empty table; the steps must happen all the same.
        for _ in range(steps):
            yield torch.empty(0, dtype=torch.int64)
        return
    sampler = UniformWithReplacementSampler(
        num_samples=n_rows, sample_rate=sample_rate, generator=rng, steps=steps
    )
    for indices in sampler:
        yield torch.tensor(indices, dtype=torch.int64)  # (batch_size,)
