"""Interpolation between latent codes: a generator whose codes lie between those of another.

The generator has a finite list of latent codes, all equally likely, and is a mixture of one
product for each. Between two places in that list there is nothing. But each code is a vector, the
input of a network, and between two inputs of one network there is a line. So inputs are
interpolated, each with that of another code of the same member: no other network knows both.
"""

from __future__ import annotations

from copy import deepcopy

import torch

from synthesis.generator import Generator


@torch.no_grad()
def interpolate_latent(generator: Generator, *, strength: float, seed: int) -> Generator:
    """Return a generator with every latent code moved towards another.

    Each goes a share of the way that is uniform between 0 and ``strength``. Distributions between
    codes were never fitted to anything: they are the network's guess.

    Args:
        generator: the generator; it is left as it is.
        strength: the longest way, in (0, 1].
        seed: the same seed gives the same codes.
    """
    rng = torch.Generator().manual_seed(seed)
    moved = deepcopy(generator)
    for codes in moved.anchors:  # (num_anchors, latent_dim) of one member
        partners = codes[torch.randperm(len(codes), generator=rng)]
        share = strength * torch.rand((len(codes), 1), generator=rng)
        codes.lerp_(partners, share)
    return moved
