"""Units that come part by part; of the parts before, only codes and different ids are held."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from synthesis.units import Codes, Units

_GROWTH = 1.25
_FIRST_ROWS = 10_000


class UnitsBuilder:
    """Collects the rows of a site in their order.

    Args:
        num_columns: columns of the schema.
        has_persons: whether the schema protects persons.
    """

    def __init__(self, num_columns: int, *, has_persons: bool) -> None:
        self._has_persons = has_persons
        self._numbers: dict[str, int] = {}
        self._rows = 0
        self._codes: Codes = np.empty((0, num_columns), dtype=np.int16)
        self._persons = np.empty(0, dtype=np.int64)

    def number_persons(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """Return the number of each id; a new one gets the next."""
        numbers = self._numbers
        return np.array([numbers.setdefault(text, len(numbers)) for text in ids], dtype=np.int64)

    def add(self, codes: Codes, persons: NDArray[np.int64] | None = None) -> None:
        """Add rows, ``(n_rows, n_columns)``, and the number of the person each belongs to."""
        start, self._rows = self._rows, self._rows + len(codes)
        self._make_room()
        self._codes[start : self._rows] = codes
        if persons is not None:
            self._persons[start : self._rows] = persons

    def build(self) -> Units:
        """Return the units; nothing can be added afterwards."""
        self._resize(self._rows)
        if not self._has_persons:
            return Units.from_records(self._codes)
        return Units.from_numbered_persons(self._codes, self._persons, list(self._numbers))

    def _make_room(self) -> None:
        if self._rows > len(self._codes):
            self._resize(max(self._rows, _FIRST_ROWS, int(len(self._codes) * _GROWTH)))

    def _resize(self, rows: int) -> None:
        """Let the arrays grow where they lie: a copy would hold them twice for a moment."""
        self._codes.resize((rows, self._codes.shape[1]), refcheck=False)
        if self._has_persons:
            self._persons.resize(rows, refcheck=False)
