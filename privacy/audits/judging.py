"""Guesses held against a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from privacy.audits.curves import Curve, ledger_curve
from privacy.audits.f_dp import f_dp_bound, is_curve_refuted
from privacy.audits.guesses import Guesses
from privacy.audits.one_run import one_run_bound
from privacy.events import Event

__all__ = ["Bounds", "find_ceiling", "judge"]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one run shows.

    Attributes:
        guesses: that were made, and how many were right.
        one_run: lower bound on epsilon, whatever the mechanism.
        f_dp: lower bound on epsilon, for a mechanism with the curve of a Gaussian.
        refutes: whether the run refutes the claim: ``one_run`` exceeds it, or the guesses are too
            good for the privacy loss distribution of the events that the ledger would hold.
    """

    guesses: Guesses
    one_run: float
    f_dp: float
    refutes: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return vars(self) | {"guesses": vars(self.guesses)}


def judge(
    guesses: Guesses, events: Sequence[Event], *, epsilon: float, delta: float, significance: float
) -> Bounds:
    """Hold guesses against the claim that these events cost at most epsilon."""
    one_run = one_run_bound(guesses, delta=delta, significance=significance)
    curve = _find_curve(tuple(events), delta)
    return Bounds(
        guesses=guesses,
        one_run=one_run,
        f_dp=f_dp_bound(guesses, delta=delta, significance=significance),
        refutes=one_run > epsilon or is_curve_refuted(guesses, curve, significance=significance),
    )


def find_ceiling(*, canaries: int, made: int, delta: float, significance: float) -> float:
    """Return the one-run bound of an audit in which every guess is right."""
    best = Guesses(canaries=canaries, made=made, right=made)
    return one_run_bound(best, delta=delta, significance=significance)


@lru_cache(maxsize=8)
def _find_curve(events: tuple[Event, ...], delta: float) -> Curve:
    """Return the curve of events; the sites of a study mostly have the same, and it takes long."""
    return ledger_curve(events, delta)
