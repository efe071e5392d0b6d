"""Fitting a generator to the private sketch: exact moments, no sampling, no further cost.

With P the probabilities of all latent codes and Y its label columns, the model's block for columns
a and b given class c is P_a' diag(Y_c) P_b / num_parts: one matrix product per class for all
blocks together. Where groups of sites have shares of their own, Y is weighted by them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthesis.column_sums import TINY, ColumnSums
from synthesis.generator import Generator, Mixture
from synthesis.laid_targets import LaidTargets, Places
from synthesis.layout import Groups
from synthesis.pair_error import PairError
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import SketchTargets, perturb

Progress = Callable[[int, int], None]

NOISE_FLOOR = 0.9
"""Lowest sketch loss a generator may reach: the truth itself scores about 1, and what lies clearly
below is fitted to noise (the discrepancy principle of Morozov 1966)."""
NOISE_PER_SIGNAL = 0.2
"""Where the sketch holds little signal, the fit stops earlier: it may go below 1 by this part of
what independent columns lie above it."""
NOISE_SPREADS = 1.0
"""How many standard deviations above 1 independent columns must lie for a fit to begin at all."""
DEPENDENCE_PRICE = 0.003
"""What a record pays, in log-likelihood, for each nat that its latent code tells about its columns
beyond the label. Of all generators that agree with the noisy sketch, this prefers the one with the
least dependence between columns (maximum entropy, as in Jaynes 1957); noise has no such claim."""
CHECK_EVERY = 10


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

    Below 1 the generator follows the noise; well above 1 it misses the data. With one table of
    targets the moments are those of the whole mixture, as its parts are weighted. With several,
    every member has its own, and the loss is their mean.

    Attributes:
        spread: standard deviation of what the truth itself would score.
    """

    def __init__(self, *targets: SketchTargets, device: torch.device | None = None) -> None:
        first = targets[0]
        self.spread = first.loss_spread
        layout = first.layout
        self._members = len(targets)
        self._scale = 1.0 / first.expected_loss
        self._price = 2.0 * DEPENDENCE_PRICE * first.rows * self._scale
        self._pools = [
            _pooling_matrix(groups).to(device) if len(groups) > size else None
            for groups, size in zip(layout.groups, layout.group_sizes, strict=True)
        ]
        self._pair_error = PairError(targets, device=device)
        self._singles = _lay_singles(targets, device)

    def __call__(self, mixture: Mixture) -> Tensor:
        """Return the loss of a generator's distributions, a scalar with its graph."""
        label = self._weigh_label(mixture)
        return self._error(label, self._add_up(label, mixture))

    def penalised(self, mixture: Mixture) -> Tensor:
        """Return the loss plus the price of dependence, in the same units.

        The loss is minus twice the log-likelihood of the noisy cells, divided by what the noise
        alone would cause; the price per record enters on the same scale, so that it counts as
        much on every table.
        """
        label = self._weigh_label(mixture)
        sums = self._add_up(label, mixture)
        return self._error(label, sums) + self._price * self._dependence(label, sums)

    def _weigh_label(self, mixture: Mixture) -> Tensor:
        """Return the weight of every part with a class, ``(members, parts, classes)``.

        Those of a member add to 1.
        """
        label = mixture.label
        if self._members == 1:
            label = label * mixture.weights[:, None]
        label = label.unflatten(0, (self._members, -1))
        weighed: Tensor = label / label.shape[1]
        return weighed

    def _add_up(self, label: Tensor, mixture: Mixture) -> ColumnSums:
        return ColumnSums.of(mixture.features, label, self._pools)

    def _error(self, label: Tensor, sums: ColumnSums) -> Tensor:
        error = self._pair_error(label, sums.pooled) + self._singles.compute_error(sums.joint)
        return error * (self._scale / self._members)

    def _dependence(self, label: Tensor, sums: ColumnSums) -> Tensor:
        """Return the information of the latent code about the columns given the label, in nats."""
        classes = label.sum(1)[..., None]
        known = (sums.joint * torch.log(sums.joint / (classes + TINY) + TINY)).sum()
        told = (label.flatten(0, 1) * sums.negative_entropy).sum()
        return (told - known) / self._members


def choose_device() -> torch.device:
    """Return the first GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit_to_sketch(
    generator: Generator,
    targets: SketchTargets,
    settings: FitSettings,
    *,
    rng: np.random.Generator,
    device: torch.device | None = None,
    on_step: Progress | None = None,
) -> Generator:
    """Start the generator at the shares of single columns and fit every member to the sketch.

    Args:
        generator: whose architecture is used; trained in place.
        targets: the sketch.
        settings: steps and learning rate.
        rng: draws the noise that tells the members apart; public randomness.
        device: where to fit; the result is on the CPU.
        on_step: called with steps done and steps in all.
    """
    generator.start_at(make_starting_shares(targets))
    members = perturb(targets, generator.settings.num_members, rng)
    loss = SketchLoss(*members, device=device)
    return fit_generator(generator.to(device), loss, settings, on_step=on_step).to("cpu")


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
    floor = choose_floor(compute_loss(generator, loss), loss.spread)
    for step in range(settings.steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * max(decay, 0.02)
        optimizer.zero_grad()
        loss.penalised(generator.mixture()).backward()
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
    return float(loss(generator.mixture()))


def choose_floor(start: float, spread: float) -> float:
    """Return the loss at which to stop, from the loss of independent columns.

    Where that is no more than noise alone would give in most cases, there is nothing to fit.
    """
    signal = start - 1.0
    if signal <= NOISE_SPREADS * spread:
        return math.inf
    return max(NOISE_FLOOR, 1.0 - NOISE_PER_SIGNAL * signal)


@torch.no_grad()
def update_average(average: Generator, current: Generator, *, decay: float) -> None:
    """Move the running average of weights a step towards the current ones."""
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _lay_singles(targets: Sequence[SketchTargets], device: torch.device | None) -> LaidTargets:
    """Lay out the blocks of single features, all codes of all features side by side."""
    ends = np.cumsum([len(groups) for groups in targets[0].layout.groups]).tolist()
    starts = [0, *ends[:-1]]
    places: Places = {
        (feature,): (slice(start, end),)
        for feature, (start, end) in enumerate(zip(starts, ends, strict=True))
    }
    return LaidTargets.lay(targets, places, (ends[-1],), device)


def _pooling_matrix(groups: Groups) -> Tensor:
    """Return the 0/1 matrix that adds up the codes of a group, ``(codes, groups)``."""
    pooling: Tensor = torch.nn.functional.one_hot(torch.from_numpy(groups)).float()
    return pooling
