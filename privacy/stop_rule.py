"""When a ledger says no.

The events of a part's first reservation are declared together before anything of that part is seen,
so their PLD epsilon is exact. Later reservations may depend on what earlier ones released, and PLD
is not proven for such adaptive choices. There the rule is a Rényi filter: the RDP of all events, at
one order fixed when the ledger was opened, must stay within the budget (Feldman and Zrnic 2021).
Mixing the two is sound: a first reservation whose RDP is above the budget can never be followed
by another one.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from privacy.accounting import (
    RDP_ORDERS,
    Schedule,
    compute_pld_epsilon,
    compute_rdp,
    make_schedules,
)
from privacy.budget import Budget, Part
from privacy.errors import BudgetExceeded
from privacy.events import Event, GaussianEvent

__all__ = ["Steps", "check_within_budget", "choose_order", "count_event"]

Steps: TypeAlias = dict[Part, dict[tuple[float, float], int]]
"""How often each (noise multiplier, sample rate) was released, per part of the data set."""


def count_event(steps: Steps, event: Event) -> None:
    """Add one event to the counts."""
    counts = steps.setdefault(event.part, {})
    if isinstance(event, GaussianEvent):
        pair, times = (event.noise_multiplier, 1.0), 1
    else:
        pair, times = (event.noise_multiplier, event.sample_rate), event.steps
    counts[pair] = counts.get(pair, 0) + times


def check_within_budget(
    reserved: Steps, new: Sequence[Event], budget: Budget, *, order: float | None = None
) -> None:
    """Raise unless the new events may follow the reserved ones.

    Args:
        reserved: everything reserved before.
        new: the events of one reservation.
        budget: what holds now.
        order: Rényi order of the filter; `choose_order(budget)` when left out.

    Raises:
        BudgetExceeded: if they may not. Its `requested` and `remaining` are counted by PLD for a
            first reservation and by the filter for later ones, where less is left than by PLD.
        ValueError: if an event has less noise than PLD can handle.
    """
    for part, schedule in make_schedules(new).items():
        before, after = 0.0, 0.0
        if counts := reserved.get(part):
            order = order or choose_order(budget)
            spent = sum(times * compute_rdp(*pair, order) for pair, times in counts.items())
            before = _to_epsilon(spent, budget.delta, order)
            after = _to_epsilon(spent + _rdp_of(schedule, order), budget.delta, order)
        else:
            after = compute_pld_epsilon(schedule, budget.delta)
        if after > budget.epsilon:
            raise BudgetExceeded(after - before, max(0.0, budget.epsilon - before))


@lru_cache(maxsize=256)
def choose_order(budget: Budget) -> float:
    """Return the Rényi order at which the budget leaves the most room for Gaussian releases."""

    def room(order: float) -> float:
        return (budget.epsilon - _to_epsilon(0.0, budget.delta, order)) / order

    return max((order for order in RDP_ORDERS if order > 1.01), key=room)


def _rdp_of(schedule: Schedule, order: float) -> float:
    return sum(times * compute_rdp(noise, rate, order) for noise, rate, times in schedule)


def _to_epsilon(rdp: float, delta: float, order: float) -> float:
    """Convert RDP at one order: Canonne, Kamath and Steinke 2020, Proposition 12."""
    return max(0.0, rdp + math.log1p(-1 / order) - math.log(delta * order) / (order - 1))
