"""The rows that attacks are tried with, as codes of the schema."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthesis.schema import Schema
from synthesis.units import Codes

TRIED = 2_000
"""Most rows of each kind that are compared with synthetic rows one by one."""
COMPARED = 20_000
"""Most synthetic rows they are compared with."""
USUAL_COLUMNS = 25
"""Columns beyond which fewer rows are compared, so that the work does not grow."""
MOST = 10_000
"""Most rows of each kind that are of any use here."""
MOST_SYNTHETIC = 100_000
"""Most synthetic rows that are of any use here."""
FEWEST = 100
"""Rows of each kind below which an attack shows nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Synthetic rows, and real rows with which an attacker tries them. Private but the first two.

    Members and others must be drawn alike: as many of each, at most one row of a person, in random
    order, and only chance decides who is which. Otherwise an attack finds how they were drawn.

    Attributes:
        schema: the public schema.
        synthetic: published rows, ``(n_synthetic, n_columns)``, in random order.
        members: rows that were trained on, ``(n_rows, n_columns)``.
        others: rows that nothing was trained on, ``(n_rows, n_columns)``.

    Raises:
        ValueError: if there are not as many members as others, or a table has no row.
    """

    schema: Schema
    synthetic: Codes
    members: Codes = field(repr=False)
    others: Codes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.members) != len(self.others):
            raise ValueError("there must be as many members as others.")
        if not len(self.members) or not len(self.synthetic):
            raise ValueError("members, others and synthetic must have rows.")

    @property
    def tried(self) -> tuple[Codes, Codes]:
        """The members and the others that are compared one by one."""
        number = round(TRIED * self.thrift**0.5)
        return self.members[:number], self.others[:number]

    @property
    def compared(self) -> Codes:
        """The synthetic rows they are compared with."""
        return self.synthetic[: round(COMPARED * self.thrift**0.5)]

    @property
    def thrift(self) -> float:
        """Share of the usual work on pairs of rows that a table of many columns gets, in (0, 1]."""
        return min(1.0, USUAL_COLUMNS / len(self.schema.columns))

    def shares(self) -> list[NDArray[np.float64]]:
        """Return per column the shares of its codes among all synthetic rows; none is zero."""
        counts = (
            np.bincount(self.synthetic[:, index], minlength=size)
            for index, size in enumerate(self.schema.sizes)
        )
        return [(each + 0.5) / (each.sum() + 0.5 * len(each)) for each in counts]


def shuffle(codes: Codes, rng: np.random.Generator) -> Codes:
    """Return the rows in random order."""
    return codes[rng.permutation(len(codes))]
