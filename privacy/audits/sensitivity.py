"""The deterministic sensitivity test: does one record move a mechanism by at most its claim?

Everything random is frozen and the noise is off; one adversarial unit is added, and the change of
the released quantity is measured. To remove it is the same pair of tables, seen from the other
side. It finds in seconds the step bugs that no one-run audit finds.

Reference: the 'record and play' test of arXiv 2602.17454.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Release = Callable[[Tensor], Tensor]
"""Maps records ``(n, width)`` to the noiseless released quantity; deterministic."""

Draw = Callable[[torch.Generator], Tensor]
"""Draws records ``(n, width)``."""

ROUNDING = 1e-5
"""What rounding in float32 may add to a ratio."""


@dataclass(frozen=True, kw_only=True)
class SensitivityResult:
    """Worst change over the claimed sensitivity in ``trials`` trials; sound if at most 1."""

    worst_ratio: float
    trials: int

    @property
    def holds(self) -> bool:
        """Whether no trial exceeded the claim, up to floating-point rounding."""
        return self.worst_ratio <= 1.0 + ROUNDING


def measure_sensitivity(
    release: Release,
    *,
    claimed: float,
    draw_records: Draw,
    draw_adversary: Draw,
    trials: int,
    rng: torch.Generator,
) -> SensitivityResult:
    """Add one adversarial unit per trial, anywhere, and return the worst change of ``release``.

    Args:
        release: the mechanism with its randomness frozen and its noise off.
        claimed: L2 sensitivity that the mechanism claims, > 0.
        draw_records: draws the neighbouring data set, ``(n, width)``; ``n`` may be 0.
        draw_adversary: draws the rows of the added unit, ``(rows, width)``, usually one.
        trials: number of neighbouring pairs.
        rng: randomness of the trials.
    """
    worst = 0.0
    for _ in range(trials):
        records, adversary = draw_records(rng), draw_adversary(rng)
        place = int(torch.randint(0, len(records) + 1, (1,), generator=rng))
        more = torch.cat([records[:place], adversary, records[place:]])
        change = float(torch.linalg.vector_norm(release(more) - release(records)))
        # What is not a number compares as no violation, so it must not get that far.
        worst = max(worst, change / claimed if math.isfinite(change) else math.inf)
    return SensitivityResult(worst_ratio=worst, trials=trials)
