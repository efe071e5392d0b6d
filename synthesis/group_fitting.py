"""A generator for groups of sites: members for each group, and some that describe all together.

A group's sketch alone tells what is particular to it, and says least about what all groups have in
common, for which the sum of the sketches says most. So each group has members that were fitted to
its own sketch, and half of the rows are drawn from members that were fitted to the sum. The two err
in different ways, so a mixture strays less from the truth than either (docs/strategies.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.fitting import FitSettings, Progress, fit_to_sketch
from synthesis.generator import Generator
from synthesis.targets import SketchTargets

MEMBERS_OF_EACH = 4
"""Members of every group, and as many that describe all of them."""
SHARE_OF_ALL = 0.5
"""Share of the rows that is drawn from members that describe all groups together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupTargets:
    """What is known of one group of sites.

    Attributes:
        group: its sites, and its share of all rows.
        targets: from the sum of their sketches.
    """

    group: SiteGroup
    targets: SketchTargets


def settings_of_each(usual: GeneratorSettings, groups: int) -> GeneratorSettings:
    """Return the settings of what is fitted by itself: the usual ones where there is one group."""
    return usual if groups == 1 else replace(usual, num_members=MEMBERS_OF_EACH)


def describe_parts(groups: Sequence[SiteGroup]) -> list[SiteGroup]:
    """Return what the parts of the generator are of: the groups, and where there are several, all.

    The last then has no sites, for it describes none of them.
    """
    if len(groups) == 1:
        return list(groups)
    own = [replace(group, share=group.share * (1 - SHARE_OF_ALL)) for group in groups]
    return [*own, SiteGroup(share=SHARE_OF_ALL)]


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
    """Fit a generator to every group, one to all where there are several groups, and join them.

    Args:
        generators: one for every part of the generator (``describe_parts``), alike in their
            architecture; trained in place.
        groups: what is known of each.
        whole: from the sum of all sketches.
        settings: steps and learning rate for each.
        rng: draws the noise that tells members apart; public randomness.
        device: where to fit; the result is on the CPU.
        on_step: called with steps done and steps in all.
    """
    parts = describe_parts([each.group for each in groups])
    targets = [*(each.targets for each in groups), whole][: len(parts)]
    total = settings.steps * len(parts)

    def tell_after(before: int) -> Progress:
        return lambda done, _: on_step(before + done, total) if on_step else None

    fitted = [
        fit_to_sketch(
            generator,
            each,
            settings,
            rng=rng,
            device=device,
            on_step=tell_after(number * settings.steps),
        )
        for number, (generator, each) in enumerate(zip(generators, targets, strict=True))
    ]
    return Generator.join(fitted, parts)
