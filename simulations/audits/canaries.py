"""Canaries: made-up units, each in or out of a rehearsal by its own fair coin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy import Randomness
from privacy.canaries import ROWS_OF_A_PERSON
from simulations.audits.rows import draw_codes
from synthesis.contributions import find_contributions
from synthesis.kinds.tables import count_for_sketch
from synthesis.layout import Counts, SketchLayout
from synthesis.units import Codes, Units

__all__ = ["Canaries", "draw_canaries"]

_OUT = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Canaries:
    """Made-up units beside the rows of a site that is not there.

    Attributes:
        codes: one row for each canary, ``(canaries, n_columns)``; a person has it several times.
        included: the coins, ``(canaries,)``.
        beside: rows of other units, ``(rows, n_columns)``.
        is_person: whether units are persons.
    """

    codes: Codes
    included: NDArray[np.bool_]
    beside: Codes
    is_person: bool

    def units(self) -> Units:
        """Return the units that take part: all others, then the canaries that are in."""
        others = Units.from_records(self.beside)
        if self.is_person:
            names = [f"other-{number:09d}" for number in range(len(self.beside))]
            others = Units.from_persons(self.beside, names)
        return others.add(self.codes[self.included], ROWS_OF_A_PERSON)

    def marks(self) -> NDArray[np.int64]:
        """Return the number of the canary that each unit is, or -1, in the order of ``units``."""
        others = np.full(len(self.beside), _OUT)
        return np.concatenate([others, np.flatnonzero(self.included)]).astype(np.int64)

    def count_others(self, layout: SketchLayout) -> Counts:
        """Return what all other units add to the sketch, which an attacker is taken to know."""
        return count_for_sketch(layout, Units.from_records(self.beside))[0]

    def contributions(self, layout: SketchLayout) -> Any:
        """Return what each canary adds to the sketch, sparse ``(canaries, dimension)``."""
        return find_contributions(layout, self.codes)


def draw_canaries(
    sizes: tuple[int, ...],
    number: int,
    *,
    beside: Codes,
    is_person: bool,
    randomness: Randomness,
    path: tuple[str, ...],
) -> Canaries:
    """Draw canaries uniformly from the schema, so that few look alike, and flip their coins."""
    coins = randomness.stream(*path, "coins").bits(number)
    return Canaries(
        codes=draw_codes(sizes, number, randomness.numpy(*path, "canaries")),
        included=(coins >> np.uint64(63)).astype(bool),
        beside=beside,
        is_person=is_person,
    )
