"""The Gaussian part of the evidence lower bound, which images and tables have alike."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["MOST_LOG_VARIANCE", "compute_divergence", "draw_latent"]

MOST_LOG_VARIANCE = 10.0
"""Bound of the logarithm of a variance, so that an odd row overflows nothing."""


def draw_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return latent numbers from the posterior of each row, by its own noise (all ``(n, dims)``).

    Reference: Kingma and Welling 2014, section 2.4.
    """
    return mean + torch.exp(0.5 * log_variance) * noise


def compute_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return how far each posterior is from the standard normal (Kullback-Leibler), ``(n,)``."""
    each = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    return each.sum(1)
