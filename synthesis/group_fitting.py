"""A generator for groups of sites: each group's members are fitted to its own sketch, then to all.

A group's sketch says least about what all groups have in common, for which their sum says most. So
once the members of every group are fitted, all of them are fitted on together: to the sum of the
sketches, while no group may leave what it has reached on its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.fitting import (
    CHECK_EVERY,
    FitSettings,
    Progress,
    SketchLoss,
    choose_floor,
    compute_loss,
    fit_to_sketch,
    update_average,
)
from synthesis.generator import Generator, Mixture
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import SketchTargets

LEAST_MEMBERS = 2
"""Members of a group at least, for perturbed targets come in pairs."""
COMMON_STEPS = 300
COMMON_RATE = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupTargets:
    """What is known of one group of sites.

    Attributes:
        group: its sites, and its share of all rows.
        targets: from the sum of their sketches.
    """

    group: SiteGroup
    targets: SketchTargets


def members_of_each(settings: GeneratorSettings, groups: int) -> int:
    """Return how many members each group has: together as many as one group would, or two each."""
    return max(LEAST_MEMBERS, settings.num_members // groups)


def fit_groups(
    generators: Sequence[Generator],
    groups: Sequence[GroupTargets],
    whole: SketchTargets,
    settings: FitSettings,
    *,
    rng: np.random.Generator,
    device: torch.device | None = None,
    on_step: Progress | None = None,
) -> Generator:
    """Fit a generator to every group and join them.

    Args:
        generators: one for every group, alike in their architecture; trained in place.
        groups: what is known of each.
        whole: from the sum of all sketches.
        settings: steps and learning rate for each group.
        rng: draws the noise that tells members apart; public randomness.
        device: where to fit; the result is on the CPU.
        on_step: called with steps done and steps in all.
    """
    total = settings.steps * len(groups) + (COMMON_STEPS if len(groups) > 1 else 0)

    def tell_after(before: int) -> Progress:
        return lambda done, _: on_step(before + done, total) if on_step else None

    fitted = [
        fit_to_sketch(
            generator,
            each.targets,
            settings,
            rng=rng,
            device=device,
            on_step=tell_after(number * settings.steps),
        )
        for number, (generator, each) in enumerate(zip(generators, groups, strict=True))
    ]
    joined = Generator.join(fitted, [each.group for each in groups])
    if len(groups) == 1:
        return joined
    joined = _fit_together(
        joined.to(device),
        SketchLoss(whole, device=device),
        [SketchLoss(each.targets, device=device) for each in groups],
        floor=_find_floor(joined.settings, whole),
        on_step=tell_after(total - COMMON_STEPS),
    )
    return joined.to("cpu")


def _fit_together(
    generator: Generator,
    whole: SketchLoss,
    own: Sequence[SketchLoss],
    *,
    floor: float,
    on_step: Progress,
) -> Generator:
    """Fit the mixture to the whole, and return its running average over the last steps.

    Args:
        generator: of all groups; trained in place.
        whole: of all sites together.
        own: of every group; what lies above its start counts as much as the whole.
        floor: loss of the whole at which to stop.
        on_step: called with steps done and steps in all.
    """
    optimizer = torch.optim.Adam(generator.parameters(), lr=COMMON_RATE, betas=(0.5, 0.9))
    with torch.no_grad():
        reached = _losses(generator.mixture(), own)
    average = copy.deepcopy(generator)
    for step in range(COMMON_STEPS):
        if step % CHECK_EVERY == 0 and compute_loss(average, whole) < floor:
            break
        decay = 0.5 * (1 + math.cos(math.pi * step / COMMON_STEPS))
        for group in optimizer.param_groups:
            group["lr"] = COMMON_RATE * max(decay, 0.02)
        optimizer.zero_grad()
        mixture = generator.mixture()
        excess = functional.relu(_losses(mixture, own) - reached).sum()
        (whole.penalised(mixture) + excess).backward()
        optimizer.step()
        update_average(average, generator, decay=min(0.98, step / (step + 10)))
        on_step(step + 1, COMMON_STEPS)
    else:
        return average
    on_step(COMMON_STEPS, COMMON_STEPS)  # it is done before its last step
    return average


def _losses(mixture: Mixture, own: Sequence[SketchLoss]) -> Tensor:
    """Return the penalised loss of every group's parts, ``(groups,)``."""
    length = len(mixture.weights) // len(own)
    several = []
    for number, loss in enumerate(own):
        inside = slice(number * length, (number + 1) * length)
        several.append(loss.penalised(mixture.take(inside)))
    return torch.stack(several)


def _find_floor(settings: GeneratorSettings, whole: SketchTargets) -> float:
    """Return the loss at which to stop, which follows from that of independent columns."""
    start = Generator(
        GeneratorSettings(forms=settings.forms, label_index=settings.label_index, num_members=1),
        rng=torch.Generator().manual_seed(0),
    )
    start.start_at(make_starting_shares(whole))
    loss = SketchLoss(whole)
    return choose_floor(compute_loss(start, loss), loss.spread)
