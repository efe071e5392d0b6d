"""The generator's second lesson: to draw images whose details are those of the sketch.

The noisy means of details are matched by gradient descent over what the generator draws, as in
generative moment matching (Li et al. 2015; privately with random features Harder et al. 2021,
"DP-MERF"). It sees the sketch alone, so it is post-processing and free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthesis.images.gaussians import LEAST_IMAGES, part_of_signal
from synthesis.images.generator import ImageGenerator, cut
from synthesis.images.sketch import CONSTANT, DETAIL, Counts, ImageLayout

_CLASSES = 4
"""Classes of a batch, each with twice _IMAGES images."""
_IMAGES = 64
_LEARNING_RATE = 2e-3
_MOST_GRADIENT = 0.1
_MEMORY = 0.95
"""Part of the running average of weights that a step leaves; the average is what is kept."""
_STAY = 1.5e-3
"""Price of moving an image from what the Gaussians drew, in its own scaled coefficients."""
_IMAGES_LOOKED_AT = 300
"""Images of each class by which it is told what is drawn before the lesson."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DetailMeans:
    """Means of details by class, as a noisy sketch tells them.

    Attributes:
        means: ``(num_classes, size)``.
        noise: expected squared distance of each class's means to the true ones by noise alone,
            ``(num_classes,)``.
    """

    means: NDArray[np.float64]
    noise: NDArray[np.float64]


def estimate_details(layout: ImageLayout, flat: Counts, noise_std: float) -> DetailMeans:
    """Estimate the means of details of each class; post-processing.

    Args:
        layout: where the numbers lie.
        flat: the noisy sketch.
        noise_std: standard deviation of the noise in each of its numbers.
    """
    counts = layout.to_matrices(flat)[:, 0, 0] / CONSTANT**2
    rows = np.maximum(counts, LEAST_IMAGES)
    return DetailMeans(
        means=layout.to_details(flat) / rows[:, None],
        noise=layout.details.size * (noise_std / DETAIL / rows) ** 2,
    )


def shrink(told: DetailMeans, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means nearer to the true ones than those that the sketch tells.

    What is missing is split into what all classes miss, which has little noise, and what each
    misses beyond that. Each part is scaled by how much of it cannot be noise (James and Stein 1961;
    Efron and Morris 1973).

    Args:
        told: by the sketch.
        drawn: means of what the generator draws now, ``(num_classes, size)``.
    """
    missing, classes = told.means - drawn, len(drawn)
    common = missing.mean(axis=0)
    own = missing - common
    steady = part_of_signal(np.square(common).sum(), told.noise.mean() / classes)
    sure = part_of_signal(np.square(own).sum(axis=1), told.noise * (1 - 1 / classes))
    return np.asarray(drawn + steady * common + sure[:, None] * own)


def teach_details(
    generator: ImageGenerator,
    layout: ImageLayout,
    told: DetailMeans,
    *,
    steps: int,
    rng: torch.Generator,
) -> None:
    """Train the refiner until what is drawn has the details that the sketch tells.

    Args:
        generator: its first stage fitted to the sketch; its refiner is trained in place.
        layout: where the numbers of the sketch lie.
        told: the means of details.
        steps: how many.
        rng: draws classes and latent numbers.
    """
    drawn = _draw_means(generator, layout, rng)
    wanted = torch.from_numpy(shrink(told, drawn).astype(np.float32))
    generator.refine.requires_grad_(False)  # it still adds nothing, and shall not be computed
    weights: list[Tensor] = list(generator.refiner.parameters())
    averages = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.Adam(weights, lr=_LEARNING_RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        optimizer.zero_grad()
        _find_loss(generator, layout, wanted, rng).backward()
        torch.nn.utils.clip_grad_norm_(weights, _MOST_GRADIENT)
        optimizer.step()
        schedule.step()
        _move(averages, weights, 1 - min(_MEMORY, step / (step + 5)))
    _move(weights, averages, 1.0)
    generator.refine.requires_grad_(True)


def _find_loss(
    generator: ImageGenerator, layout: ImageLayout, wanted: Tensor, rng: torch.Generator
) -> Tensor:
    classes = torch.randperm(layout.num_classes, generator=rng)[:_CLASSES]
    labels = classes.repeat_interleave(2 * _IMAGES)
    latent = torch.randn(len(labels), generator.settings.directions, generator=rng)
    with torch.no_grad():
        rough = generator.draw_rough(latent, labels)
        stay = layout.frequencies.to_weighted(cut(rough))
    images = generator.refine_rough(rough, labels)
    gaps = _find_gaps(layout.details.of_images(images), wanted[classes])
    moved = (layout.frequencies.to_weighted(images) - stay).square().sum(1)
    return gaps.mean() + _STAY * moved.mean()


@torch.no_grad()
def _draw_means(
    generator: ImageGenerator, layout: ImageLayout, rng: torch.Generator
) -> NDArray[np.float64]:
    """Return mean details of what is drawn of each class, ``(num_classes, size)``."""
    means = []
    for number in range(layout.num_classes):
        labels = torch.full((_IMAGES_LOOKED_AT,), number)
        latent = torch.randn(len(labels), generator.settings.directions, generator=rng)
        means.append(layout.details.of_images(generator(latent, labels)).mean(0))
    return torch.stack(means).double().numpy()


@torch.no_grad()
def _move(values: Sequence[Tensor], towards: Sequence[Tensor], part: float) -> None:
    for value, goal in zip(values, towards, strict=True):
        value.lerp_(goal, part)


def _find_gaps(details: Tensor, means: Tensor) -> Tensor:
    """Return the squared distance of each class's mean to the one wanted, ``(classes,)``.

    It is the product of two independent halves: the square over one batch would also count how
    different its images are, and make them alike.
    """
    halves = details.unflatten(0, (len(means), 2, _IMAGES)).mean(2) - means[:, None]
    gaps: Tensor = halves.prod(1).sum(1)
    return gaps
