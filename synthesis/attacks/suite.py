"""All attacks on one table of synthetic rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from synthesis.attacks.attribute import attack_attributes, choose_targets
from synthesis.attacks.copies import count_copies
from synthesis.attacks.membership import attack_by_likelihood, attack_by_rows
from synthesis.attacks.records import Records
from synthesis.attacks.singling_out import attack_by_singling_out
from synthesis.attacks.trial import Trial
from synthesis.generator import Generator

FALSE_ALARMS = 0.05
"""Chance that any attack at all is said to succeed where members are like others."""

STEPS = 5
"""Calls of ``on_step``."""


def attack_rows(
    records: Records,
    generator: Generator,
    *,
    rng: np.random.Generator,
    targets: Sequence[int] | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> list[Trial]:
    """Try everything that published rows and generator allow.

    Args:
        records: synthetic rows, and real ones to try.
        generator: published with the rows.
        rng: draws what singling out tries.
        targets: columns to guess; those of ``choose_targets`` when left out.
        on_step: called ``STEPS`` times as the work goes on.
    """
    parts: list[Callable[[], Iterable[Trial]]] = [
        lambda: attack_by_rows(records),
        lambda: [attack_by_likelihood(records, generator)],
        lambda: attack_attributes(records, targets or choose_targets(records)),
        lambda: attack_by_singling_out(records, rng),
        lambda: [count_copies(records)],
    ]
    trials: list[Trial] = []
    for part in parts:
        trials += part()
        on_step()
    return trials


def find_successes(trials: Iterable[Trial]) -> list[bool]:
    """Return which attacks do better on members than chance explains.

    All together raise a false alarm in at most 5 % of releases (Bonferroni), and none succeeds
    whose 95 % interval reaches into that of its baseline.
    """
    tried = list(trials)
    return [
        trial.p_value <= FALSE_ALARMS / len(tried) and trial.found.low > trial.baseline.high
        for trial in tried
    ]
