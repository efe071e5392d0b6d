"""How much an attack may find at most, if the promise is kept: success is not yet a broken one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from privacy import Event
from privacy.audits import ledger_curve
from synthesis.attacks import Trial

_POINTS = 1001


class Promise:
    """What the events of a ledger allow any attack, whatever it does.

    Args:
        events: all that touched the members.
        delta: failure probability of the promise.

    Reference: Dong, Roth and Su 2022: a test that accuses so many others finds at most so many
    members.
    """

    def __init__(self, events: Sequence[Event], delta: float) -> None:
        curve = ledger_curve(events, delta)
        self._found = np.linspace(0.0, 1.0, _POINTS)
        self._accused = np.array([curve(share) for share in self._found])

    def allow(self, trial: Trial) -> float | None:
        """Return the largest AUC, or the largest share at the share of others; rounded up.

        None for singling out, which is no test of one record.
        """
        if trial.kind == "singling-out":
            return None
        if trial.measure == "auc":
            return float(1 - self._accused[:-1].mean())  # the curve rises: a sum from below
        place = np.searchsorted(self._accused, trial.baseline.value, side="right")
        return float(self._found[min(int(place), _POINTS - 1)])
