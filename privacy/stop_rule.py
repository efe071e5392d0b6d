"""When a ledger says no.

The events of a part's first reservation are declared together before anything of that part is seen,
so their PLD epsilon is exact. Later reservations may depend on what earlier ones released, and PLD
is not proven for such adaptive choices. There the rule is a Rényi filter: the RDP of all events, at
one order fixed when the ledger was opened, must stay within the budget (Feldman and Zrnic 2021).
Mixing the two is sound: a first reservation whose RDP is above the budget can never be followed
by another one.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

from privacy.accounting import RDP_ORDERS, compute_epsilon, compute_rdp
from privacy.budget import Budget, Part
from privacy.errors import BudgetExceeded
from privacy.events import Event
from privacy.schedules import Schedule, make_schedule, split_by_part

__all__ = ["Spending", "check_within_budget", "choose_order"]


class Spending:
    """The RDP of all events so far, at one order, for each part of the data set.

    A fold over the events that goes on where it stopped, so that a new study is decided as quickly
    after ten thousand events as after ten.

    Args:
        order: Rényi order, > 1, fixed before the first release.
        events: everything reserved so far.
    """

    def __init__(self, order: float, events: Iterable[Event] = ()) -> None:
        self.order = order
        self._rdp: dict[Part, float] = {}
        self._not_counted = list(events)

    def add(self, event: Event) -> None:
        """Take in one more event."""
        self._not_counted.append(event)

    def compute_rdp(self, part: Part) -> float | None:
        """Return the RDP of everything released from a part; None if nothing was."""
        new, self._not_counted = self._not_counted, []
        for each, events in split_by_part(new).items():
            asked = _rdp_of(make_schedule(events), self.order)
            self._rdp[each] = self._rdp.get(each, 0.0) + asked
        return self._rdp.get(part)


def check_within_budget(spending: Spending, new: Sequence[Event], budget: Budget) -> None:
    """Raise unless the new events may follow the reserved ones.

    Args:
        spending: everything reserved before.
        new: the events of one reservation.
        budget: what holds now.

    Raises:
        BudgetExceeded: if they may not. Its `requested` and `remaining` are counted by PLD for a
            first reservation and by the filter for later ones, where less is left than by PLD.
        ValueError: if an event has less noise than PLD can handle.
    """
    for part, events in split_by_part(new).items():
        spent, order = spending.compute_rdp(part), spending.order
        if spent is None:
            before, after = 0.0, compute_epsilon(events, budget.delta)
        else:
            before = _to_epsilon(spent, budget.delta, order)
            asked = _rdp_of(make_schedule(events), order)
            after = _to_epsilon(spent + asked, budget.delta, order)
        if not after <= budget.epsilon:  # what is no number is refused too
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
    epsilon = rdp + math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
    return epsilon if not epsilon <= 0 else 0.0  # keeps what is no number
