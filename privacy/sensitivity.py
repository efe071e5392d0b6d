"""The deterministic sensitivity test: does one record move a mechanism by at most its claim?

Everything random is frozen and the noise is off; one adversarial record is added, and the change
of the released quantity is measured. It finds in seconds the step bugs that no one-run audit finds.

Reference: the 'record and play' test of arXiv 2602.17454.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Release = Callable[[Tensor], Tensor]
"""Maps records ``(n, width)`` to the noiseless released quantity; deterministic."""


@dataclass(frozen=True, kw_only=True)
class SensitivityResult:
    """Worst change over the claimed sensitivity in ``trials`` trials; sound if at most 1."""

    worst_ratio: float
    trials: int

    @property
    def holds(self) -> bool:
        """Whether no trial exceeded the claim, up to floating-point rounding."""
        return self.worst_ratio <= 1.0 + 1e-4


def measure_sensitivity(
    release: Release,
    *,
    claimed: float,
    draw_records: Callable[[torch.Generator], Tensor],
    draw_adversary: Callable[[torch.Generator], Tensor],
    trials: int,
    rng: torch.Generator,
) -> SensitivityResult:
    """Add one adversarial record per trial and return the worst change of ``release``.

    Args:
        release: the mechanism with its randomness frozen and its noise off.
        claimed: L2 sensitivity that the mechanism claims, > 0.
        draw_records: draws the neighbouring data set, ``(n, width)``; ``n`` may be 0.
        draw_adversary: draws the added record, ``(1, width)``.
        trials: number of neighbouring pairs.
        rng: randomness of the trials.
    """
    worst = 0.0
    for _ in range(trials):
        records = draw_records(rng)
        before = release(records)
        after = release(torch.cat([records, draw_adversary(rng)]))
        worst = max(worst, float(torch.linalg.vector_norm(after - before)) / claimed)
    return SensitivityResult(worst_ratio=worst, trials=trials)
