"""Fitting a generator to the private sketch: exact moments, no sampling, no further cost.

With P the probabilities of all latent codes and Y its label columns, the model's block for columns
a and b given class c is P_a' diag(Y_c) P_b / num_anchors: one matrix product per class for all
blocks together.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthesis.generator import Generator
from synthesis.pair_error import PairError
from synthesis.targets import Shares, SketchTargets

Progress = Callable[[int, int], None]

NOISE_FLOOR = 0.9
"""Lowest sketch loss a generator may reach: the truth itself scores about 1, and what lies clearly
below is fitted to noise (the discrepancy principle of Morozov 1966)."""
NOISE_PER_SIGNAL = 0.2
"""Where the sketch holds little signal, the fit stops earlier: it may go below 1 by this part of
what independent columns lie above it."""
DEPENDENCE_PRICE = 0.005
"""What a record pays, in log-likelihood, for each nat that its latent code tells about its columns
beyond the label. Of all generators that agree with the noisy sketch, this prefers the one with the
least dependence between columns (maximum entropy, as in Jaynes 1957); noise has no such claim."""
CHECK_EVERY = 10
TINY = 1e-7


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How the generator is fitted to the sketch; all public.

    Attributes:
        steps: optimiser steps, >= 1.
        learning_rate: start of the cosine schedule, > 0.
    """

    steps: int = 1500
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.learning_rate > 0:
            raise ValueError(
                f"steps must be >= 1 and learning_rate > 0, got {self.steps}, {self.learning_rate}."
            )


class SketchLoss:
    """Weighted squared error of a generator's moments, in units of what noise alone would cause.

    Below 1 the generator follows the noise; well above 1 it misses the data.
    """

    def __init__(self, targets: SketchTargets, *, device: torch.device | None = None) -> None:
        layout = targets.layout
        self._features = layout.features
        self._sizes = layout.sizes
        self._label = layout.label_index
        self._scale = 1.0 / targets.expected_loss
        self._price = 2.0 * DEPENDENCE_PRICE * targets.rows * self._scale
        self._pair_error = PairError(targets, device=device)
        self._singles = [
            (block, _to_tensor(shares).to(device), _to_tensor(weights).to(device))
            for block, shares, weights in zip(
                layout.blocks, targets.blocks, targets.weights, strict=True
            )
            if len(block.features) == 1
        ]

    def __call__(self, probabilities: Tensor) -> Tensor:
        """Return the loss of probabilities ``(batch, sum(sizes))``, a scalar with its graph."""
        columns = probabilities.split(self._sizes, dim=1)
        label = columns[self._label]  # (batch, classes)
        fine = [columns[position] for position in self._features]
        error = self._pair_error(label, fine)
        for block, target, weight in self._singles:
            shares = label.T @ fine[block.features[0]] / len(label)
            if not block.is_given_label:
                shares = shares.sum(0, keepdim=True)
            error = error + (weight * (shares - target) ** 2).sum()
        return error * self._scale

    def penalised(self, probabilities: Tensor) -> Tensor:
        """Return the loss plus the price of dependence, in the same units.

        The loss is minus twice the log-likelihood of the noisy cells, divided by what the noise
        alone would cause; the price per record enters on the same scale, so that it counts as
        much on every table.
        """
        return self(probabilities) + self._price * self._dependence(probabilities)

    def _dependence(self, probabilities: Tensor) -> Tensor:
        """Return the information of the latent code about the columns given the label, in nats."""
        columns = probabilities.split(self._sizes, dim=1)
        label = columns[self._label]
        classes = label.mean(0)[:, None]
        total = probabilities.new_zeros(())
        for position in self._features:
            given_code = columns[position]
            joint = label.T @ given_code / len(label)  # (classes, codes)
            total = total + (given_code * torch.log(given_code + TINY)).sum(1).mean()
            total = total - (joint * torch.log(joint / (classes + TINY) + TINY)).sum()
        return total


def choose_device() -> torch.device:
    """Return the first GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit_generator(
    generator: Generator,
    loss: SketchLoss,
    settings: FitSettings,
    *,
    on_step: Progress | None = None,
) -> Generator:
    """Fit the generator and return its running average over the last steps.

    The fit ends before its last step when the average would begin to follow the noise.

    Args:
        generator: the start; trained in place.
        loss: the sketch to be met.
        settings: steps and learning rate.
        on_step: called with steps done and steps in all.
    """
    optimizer = torch.optim.Adam(
        generator.parameters(), lr=settings.learning_rate, betas=(0.5, 0.9)
    )
    average = copy.deepcopy(generator)
    floor = _choose_floor(compute_loss(generator, loss))
    for step in range(settings.steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * max(decay, 0.02)
        optimizer.zero_grad()
        loss.penalised(generator.probabilities()).backward()
        optimizer.step()
        update_average(average, generator, decay=min(0.98, step / (step + 10)))
        is_done = step % CHECK_EVERY == 0 and compute_loss(average, loss) < floor
        if on_step is not None:
            on_step(settings.steps if is_done else step + 1, settings.steps)
        if is_done:
            break
    return average


@torch.no_grad()
def compute_loss(generator: Generator, loss: SketchLoss) -> float:
    """Return the sketch loss of a generator as a number."""
    return float(loss(generator.probabilities()))


def _choose_floor(start: float) -> float:
    """Return the loss at which to stop, from the loss of independent columns."""
    signal = max(0.0, start - 1.0)
    return max(NOISE_FLOOR, 1.0 - NOISE_PER_SIGNAL * signal)


@torch.no_grad()
def update_average(average: Generator, current: Generator, *, decay: float) -> None:
    """Move the running average of weights a step towards the current ones."""
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def make_starting_shares(targets: SketchTargets) -> tuple[Shares, ...]:
    """Return one distribution per column, in column order, that the generator starts from."""
    layout = targets.layout
    shares: list[Shares] = []
    for feature, groups in enumerate(layout.groups):
        grouped = targets.one_way[feature].sum(0)
        spread = (grouped / np.bincount(groups, minlength=len(grouped)))[groups]
        for block, told in zip(layout.blocks, targets.blocks, strict=True):
            if block.features == (feature,) and not block.is_given_label:
                spread = np.maximum(told[0], 0.1 * spread)
        shares.append(spread / max(float(spread.sum()), 1e-12))
    shares.insert(layout.label_index, targets.class_shares)
    return tuple(shares)


def _to_tensor(values: Shares) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
