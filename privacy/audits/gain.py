"""What an attacker gains at most from releases, read off their privacy losses.

Epsilon at one delta is a single line that the trade-off between members found and others accused
stays under. The privacy loss distribution implies thousands of them, so it allows an attacker less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from privacy.audits.curves import Curve, ledger_curve
from privacy.events import Event
from privacy.schedules import split_by_part

__all__ = ["Gain", "allowed_gain", "measure_gain"]

_HALVINGS = 50


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What the best test can do, whatever else the attacker knows; no test does better.

    Attributes:
        found_at_1_percent: largest share of members found by a test that accuses 1 % of others.
        found_at_0_1_percent: the same for a test that accuses 0.1 % of others.
        right: largest share of right answers to whether a unit took part, where half did.
    """

    found_at_1_percent: float
    found_at_0_1_percent: float
    right: float


def measure_gain(events: Iterable[Event], delta: float) -> Gain:
    """Return what the events' privacy loss distribution allows an attacker.

    A unit lies in one part of the data set, so the worse part counts; no events allow guessing.

    Args:
        events: of one site, in any order.
        delta: failure probability in (1e-10, 1); losses that are rarer are not looked at.

    >>> measure_gain([], 1e-5)
    Gain(found_at_1_percent=0.01, found_at_0_1_percent=0.001, right=0.5)
    """
    gains = [_measure(tuple(part), delta) for part in split_by_part(events).values()]
    if not gains:
        return Gain(found_at_1_percent=0.01, found_at_0_1_percent=0.001, right=0.5)
    return Gain(
        found_at_1_percent=max(gain.found_at_1_percent for gain in gains),
        found_at_0_1_percent=max(gain.found_at_0_1_percent for gain in gains),
        right=max(gain.right for gain in gains),
    )


def allowed_gain(epsilon: float, delta: float) -> Gain:
    """Return what (epsilon, delta) alone allows, whatever the mechanism.

    Reference: Kairouz, Oh, Viswanath 2015, Theorem 2.1.

    >>> round(allowed_gain(1.0, 0.0).found_at_1_percent, 4)
    0.0272
    """
    factor = math.exp(min(epsilon, 700.0))

    def curve(found: float) -> float:
        return max(0.0, (found - delta) / factor, 1 - delta - factor * (1 - found))

    return _read(curve)


@lru_cache(maxsize=256)
def _measure(events: tuple[Event, ...], delta: float) -> Gain:
    return _read(ledger_curve(events, delta))


def _read(curve: Curve) -> Gain:
    return Gain(
        found_at_1_percent=_largest(lambda found: curve(found) <= 0.01),
        found_at_0_1_percent=_largest(lambda found: curve(found) <= 0.001),
        # Add and remove mirror each other, so the best test errs as often on either side.
        right=_largest(lambda found: curve(found) <= 1 - found),
    )


def _largest(is_possible: Callable[[float], bool]) -> float:
    """Return the end of the shares from 0 on that are possible, rounded up."""
    low, high = 0.0, 1.0
    if is_possible(high):
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_possible(middle) else (low, middle)
    return high
