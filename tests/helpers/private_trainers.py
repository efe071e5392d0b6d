"""A trainer of a tiny discriminator, with one setting at a time changed."""

from __future__ import annotations

from functools import partial

import torch
from private_steps import FAKES, WIDTH, draw_fakes, make_discriminator
from torch import nn

from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness

EVENT = SampledGaussianEvent(noise_multiplier=1.1, sample_rate=0.2, steps=7, purpose="training")
ROWS = draw_fakes(40, seed=3)


def make_trainer(discriminator: nn.Module | None = None, **changes) -> PrivateTrainer:
    settings = {
        "width": WIDTH,
        "max_grad_norm": 1.0,
        "expected_batch_size": 8,
        "fake_batch_size": FAKES,
        "randomness": SeededRandomness(0),
        "path": ("site", 1),
        "simulation": True,
    } | changes
    return PrivateTrainer(
        settings.pop("event", EVENT),
        discriminator or make_discriminator(),
        partial(torch.optim.SGD, lr=1.0),
        **settings,
    )
