"""The private step, and broken steps that people have shipped, in one form for one check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from privacy import PrivateStep, SeededRandomness, SensitivityResult, measure_sensitivity

WIDTH = 6
FAKES = 5
Summed = Callable[[nn.Module, Tensor, float], Tensor]
"""Discriminator, real rows and clip to the noiseless sum of gradients, flat."""


def make_discriminator(seed: int = 0, width: int = WIDTH, hidden: int = 8) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))


def make_step(discriminator: nn.Module, *, clip: float = 1.0, noise: float = 0.0, **more):
    settings = {"expected_batch_size": 10, "fake_batch_size": FAKES} | more
    return PrivateStep(
        discriminator,
        partial(torch.optim.SGD, lr=1.0),
        noise_multiplier=noise,
        max_grad_norm=clip,
        stream=settings.pop("stream", SeededRandomness(0).stream("noise")),
        **settings,
    )


def draw_fakes(number: int = FAKES, width: int = WIDTH, seed: int = 99) -> Tensor:
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed))


def flat_gradient(module: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in trainable(module)]).clone()


def trainable(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def losses_of(discriminator: nn.Module, rows: Tensor, target: float) -> Tensor:
    logits = discriminator(rows).squeeze(1)
    return functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, target), reduction="none"
    )


def gradient_of(discriminator: nn.Module, loss: Tensor) -> Tensor:
    parts = torch.autograd.grad(loss, trainable(discriminator), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def clip_one(gradient: Tensor, clip: float) -> Tensor:
    """As a step does: a little below the declared clip, so that roundings stay within it."""
    return gradient * min(1.0, (1 - 4e-6) * clip / (float(gradient.norm()) + 1e-6))


def one_by_one(discriminator: nn.Module, real: Tensor, fake: Tensor, clip: float) -> Tensor:
    """The oracle: gradient of each row alone, clipped alone, added up in double precision.

    A row or gradient that is not finite adds nothing.
    """
    size = sum(p.numel() for p in trainable(discriminator))
    total = torch.zeros(size, dtype=torch.float64)
    for rows, target in ((real, 1.0), (fake, 0.0)):
        for row in rows:
            loss = losses_of(discriminator, row[None], target).sum()
            gradient = gradient_of(discriminator, loss)
            if row.isfinite().all() and gradient.norm().isfinite():
                total += clip_one(gradient, clip).double()
    return total


def shipped(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    own = copy.deepcopy(discriminator)  # a network can be given to one step only
    make_step(own, clip=clip).sum_clipped_gradients(real, draw_fakes())
    return flat_gradient(own)


def as_many_fakes_as_real(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    if not len(real):
        return torch.zeros(sum(p.numel() for p in discriminator.parameters()))
    own = copy.deepcopy(discriminator)
    step = make_step(own, clip=clip, fake_batch_size=len(real))
    step.sum_clipped_gradients(real, draw_fakes(64)[: len(real)])
    return flat_gradient(own)


def tripled_clip(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    return shipped(discriminator, real, 3 * clip)


def no_clip(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    return shipped(discriminator, real, 1e6)


def clipped_after_averaging(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    fake = draw_fakes()
    loss = losses_of(discriminator, real, 1.0).sum() + losses_of(discriminator, fake, 0.0).sum()
    return clip_one(gradient_of(discriminator, loss), clip)


def two_forwards_fixed_fakes(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    """Slot i holds real row i and fake row i, clipped together; extra fakes are alone."""
    fake = draw_fakes()
    total = torch.zeros(sum(p.numel() for p in discriminator.parameters()))
    for slot in range(max(len(real), len(fake))):
        loss = losses_of(discriminator, real[slot : slot + 1], 1.0).sum()
        loss = loss + losses_of(discriminator, fake[slot : slot + 1], 0.0).sum()
        total += clip_one(gradient_of(discriminator, loss), clip)
    return total


def mean_over_the_true_batch(discriminator: nn.Module, real: Tensor, clip: float) -> Tensor:
    """Divides by the number of rows, which moves every other row's weight."""
    total = shipped(discriminator, real, clip)
    return total * 10 / (len(real) + FAKES)


def check_sensitivity(summed: Summed, clip: float, trials: int = 60) -> SensitivityResult:
    """One adversarial record more, in ``trials`` neighbouring pairs of tables and networks."""
    rng = torch.Generator().manual_seed(7)
    worst = 0.0
    for seed in range(3):
        discriminator = make_discriminator(seed)
        result = measure_sensitivity(
            lambda rows, d=discriminator: summed(d, rows, clip),
            claimed=clip,
            draw_records=draw_records,
            draw_adversary=draw_adversary,
            trials=trials // 3,
            rng=rng,
        )
        worst = max(worst, result.worst_ratio)
    return SensitivityResult(worst_ratio=worst, trials=trials)


def draw_records(rng: torch.Generator) -> Tensor:
    number = int(torch.randint(0, 8, (1,), generator=rng))
    return torch.randn(number, WIDTH, generator=rng)


def draw_adversary(rng: torch.Generator) -> Tensor:
    """Rows from tiny to huge: some below the clip, most far above it."""
    scale = 10 ** (4 * torch.rand(1, generator=rng) - 1)
    return scale * torch.randn(1, WIDTH, generator=rng)
