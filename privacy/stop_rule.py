"""When a ledger says no.

The events of a ledger's first reservation are declared together before anything is seen, so their
PLD epsilon is exact. Later reservations may depend on what earlier ones released, and PLD is not
proven for such adaptive choices. There the rule is a Rényi filter: the RDP of all events, at one
order fixed by the budget alone, must stay within the budget (Feldman and Zrnic 2021).
Mixing the two is sound: a first reservation whose RDP is above the budget can never be followed
by another one.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from privacy.accounting import RDP_ORDERS, compute_epsilon, compute_rdp_epsilon, make_schedule
from privacy.budget import Budget
from privacy.errors import BudgetExceeded
from privacy.events import Event

__all__ = ["check_within_budget", "choose_order"]


def check_within_budget(reserved: Sequence[Event], new: Sequence[Event], budget: Budget) -> None:
    """Raise unless the new events may follow the reserved ones.

    Raises:
        BudgetExceeded: if they may not. Its `requested` and `remaining` are counted by PLD for a
            first reservation and by the filter for later ones, where less is left than by PLD.
        ValueError: if an event has less noise than PLD can handle.
    """
    everything = (*reserved, *new)
    order = choose_order(budget) if reserved else None
    before = _epsilon(reserved, budget, order)
    after = _epsilon(everything, budget, order)
    # PLD is below RDP in exact arithmetic; asking for both guards against numerical surprises.
    if max(after, compute_epsilon(everything, budget.delta)) > budget.epsilon:
        raise BudgetExceeded(after - before, max(0.0, budget.epsilon - before))


@lru_cache(maxsize=256)
def choose_order(budget: Budget) -> float:
    """Return the Rényi order at which the budget leaves the most room for Gaussian releases."""

    def room(order: float) -> float:
        # Conversion of RDP to (epsilon, delta): Canonne, Kamath and Steinke 2020, Proposition 12.
        conversion = math.log1p(-1 / order) - math.log(budget.delta * order) / (order - 1)
        return (budget.epsilon - conversion) / order

    return max((order for order in RDP_ORDERS if order > 1.01), key=room)


def _epsilon(events: Sequence[Event], budget: Budget, order: float | None) -> float:
    if order is None:
        return compute_epsilon(events, budget.delta)
    return compute_rdp_epsilon(make_schedule(events), budget.delta, (order,))
