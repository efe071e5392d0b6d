"""Guesses about canaries: who was in, who was out, and how many guesses were right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.checks import check_positive_int

__all__ = ["Guesses", "guess_members"]


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """All that a one-run bound needs to know of an audit.

    Args:
        canaries: how many there were, each in or out by a fair coin of its own.
        made: for how many of them a guess was made; fixed before the scores were seen.
        right: how many of these guesses were right.

    Raises:
        ValueError: unless 0 <= right <= made <= canaries and there is a canary.
    """

    canaries: int
    made: int
    right: int

    def __post_init__(self) -> None:
        check_positive_int(self.canaries, name="canaries")
        if not 0 <= self.right <= self.made <= self.canaries:
            raise ValueError(
                f"guesses must obey 0 <= right <= made <= canaries, got right {self.right}, made "
                f"{self.made}, canaries {self.canaries}; count them again."
            )


def guess_members(
    scores: NDArray[np.float64], included: NDArray[np.bool_], *, made: int
) -> Guesses:
    """Guess 'in' for the highest scores and 'out' for the lowest, as many of each, and count.

    Args:
        scores: attack scores, ``(canaries,)``; higher means more likely in.
        included: the coins, ``(canaries,)``; they are looked at last.
        made: number of guesses, even, from 2 to the number of canaries; fixed beforehand.

    Raises:
        ValueError: if the shapes differ, a score is not a number, or ``made`` is out of range.
    """
    if scores.shape != included.shape or scores.ndim != 1:
        raise ValueError(
            f"scores and included must have one entry for each canary, got {scores.shape} and "
            f"{included.shape}."
        )
    if np.isnan(scores).any():
        raise ValueError("scores must be numbers, and some are not; nothing can be guessed.")
    if made % 2 or not 2 <= made <= len(scores):
        raise ValueError(f"made must be even and in [2, {len(scores)}], got {made}.")
    order = np.argsort(scores, kind="stable")
    right = included[order[-(made // 2) :]].sum() + (~included[order[: made // 2]]).sum()
    return Guesses(canaries=len(scores), made=made, right=int(right))
