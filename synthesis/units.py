"""The units a site protects: single records, or persons with all their rows.

Nothing here depends on how rows lie in the table. What a unit weighs, which side of the hold-out it
falls on and which of its rows are drawn are matters of that unit alone, so that adding or removing
one moves no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int16]

WEIGHT_GRID = 2**20
"""Weights are whole multiples of one over this, so that sums of them are exact."""
KEY_BYTES = 32

_ROWS_HASHED = 65_536
_PERSON, _RECORD = b"fedsynth-person", b"fedsynth-record"  # keep the two kinds of hashes apart


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """The encoded rows of a site and the unit each belongs to. Private, hence not in its ``repr``.

    Attributes:
        codes: shape `(n_rows, n_columns)`.
        unit: shape `(n_rows,)`, the unit of each row, from 0 without gaps.
        ids: what tells each person apart, as text; None where every row is a unit by itself.

    Raises:
        ValueError: if the parts do not belong together.
    """

    codes: Codes = field(repr=False)
    unit: NDArray[np.int64] = field(repr=False)
    ids: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.unit.shape != (len(self.codes),):
            raise ValueError("codes must have shape (rows, columns) and unit one number per row.")
        if self.ids is None:
            if not np.array_equal(self.unit, np.arange(len(self.codes))):
                raise ValueError("ids must be given unless every row is a unit, in order.")
            return
        if (self.unit < 0).any() or not self._sizes.all():
            raise ValueError("unit must number the units from 0 without gaps.")
        if not len(self.ids) == len(set(self.ids)) == self.n_units:
            raise ValueError("ids must hold a text of its own for each unit.")

    @classmethod
    def from_records(cls, codes: Codes) -> Units:
        """Return units of one row each."""
        return cls(codes=codes, unit=np.arange(len(codes)))

    @classmethod
    def from_persons(cls, codes: Codes, ids: Sequence[str]) -> Units:
        """Return one unit for each different text among ``ids``, one for each row."""
        numbers: dict[str, int] = {}
        persons = [numbers.setdefault(text, len(numbers)) for text in ids]
        return cls.from_numbered_persons(codes, np.array(persons, np.int64), list(numbers))

    @classmethod
    def from_numbered_persons(
        cls, codes: Codes, persons: NDArray[np.int64], ids: Sequence[str]
    ) -> Units:
        """Return one unit for each of the different ``ids``, whose place is each row's number."""
        order = sorted(range(len(ids)), key=ids.__getitem__)
        rank = np.empty(len(ids), dtype=np.int64)
        rank[order] = np.arange(len(ids))
        return cls(codes=codes, unit=rank[persons], ids=tuple(ids[place] for place in order))

    @property
    def n_units(self) -> int:
        """Number of units; private like every count of the site."""
        return len(self.codes) if self.ids is None else len(self._sizes)

    def weights(self) -> NDArray[np.float64]:
        """Return a weight for each row; those of one unit add up to at most one.

        Of k rows each weighs 1 / k, rounded down to the grid of exact sums.
        """
        if self.ids is None:
            return np.ones(len(self.codes))
        return (WEIGHT_GRID // self._sizes)[self.unit] / WEIGHT_GRID

    def choose_rows(
        self, units: NDArray[np.int64], draws: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return one row number for each of ``units``, every row of a unit equally likely.

        Args:
            units: units that were sampled.
            draws: as many private uniform numbers in [0, 1).

        Raises:
            ValueError: if there are not as many draws as units, or one is not in [0, 1).
        """
        if draws.shape != units.shape or not ((draws >= 0) & (draws < 1)).all():
            raise ValueError("draws must be one number in [0, 1) for each of units.")
        if self.ids is None:
            return units
        place = np.floor(draws * self._sizes[units]).astype(np.int64)
        chosen: NDArray[np.int64] = self._rows_by_unit[self._starts[units] + place]
        return chosen

    def add(self, codes: Codes, rows_of_a_person: int) -> Units:
        """Return these units and, after them, one more for each of the rows given.

        An id that begins with the last of all and goes on is none of them and comes after them, so
        a new person is never taken for one of the old.

        Args:
            codes: shape ``(new units, n_columns)``.
            rows_of_a_person: how often each row stands in the table where units are persons.
        """
        if self.ids is None:
            return Units.from_records(np.concatenate([self.codes, codes]))
        last = max(self.ids, default="")
        ids = tuple(f"{last} and {number:09d}" for number in range(len(codes)))
        unit = self.n_units + np.arange(len(codes))
        return Units(
            codes=np.concatenate([self.codes, *[codes] * rows_of_a_person]),
            unit=np.concatenate([self.unit, *[unit] * rows_of_a_person]),
            ids=(*self.ids, *ids),
        )

    def split(self, key: bytes, share: float) -> tuple[Units, Units]:
        """Return training and hold-out units; the key alone decides for each unit by itself.

        A person goes by the text of the id. A record goes by its codes and its number among equal
        records, so another copy of it gets a coin of its own and moves none of the others.

        Args:
            key: 32 secret bytes, kept for the life of the data set.
            share: probability that a unit is held out, in [0, 1).

        Raises:
            ValueError: if the key has another length or the share is out of range.
        """
        if len(key) != KEY_BYTES:
            raise ValueError(f"key must have {KEY_BYTES} bytes, got {len(key)}.")
        if not 0 <= share < 1:
            raise ValueError(f"share must be in [0, 1), got {share}.")
        if share == 0:
            return self, self._select(np.zeros(self.n_units, dtype=bool))
        limit = np.uint64(share * 2.0**64)
        digests = self._digest_records(key) if self.ids is None else self._digest_persons(key)
        held = digests < limit
        return self._select(~held), self._select(held)

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        return np.bincount(self.unit).astype(np.int64)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum(self._sizes) - self._sizes

    @cached_property
    def _rows_by_unit(self) -> NDArray[np.int64]:
        return np.argsort(self.unit, kind="stable")

    def _digest_persons(self, key: bytes) -> NDArray[np.uint64]:
        """Return 8 keyed bytes for each person, as a number."""
        ids = (text.encode("utf-8", "surrogatepass") for text in self.ids or ())
        hashed = (blake2b(text, digest_size=8, key=key, person=_PERSON).digest() for text in ids)
        return np.frombuffer(b"".join(hashed), dtype=">u8")

    def _digest_records(self, key: bytes) -> NDArray[np.uint64]:
        """Return 8 keyed bytes for each record, as a number."""
        copies = _number_copies(self.codes)
        keyed = blake2b(digest_size=8, key=key, person=_RECORD)  # so the key is set up only once
        digests = np.empty(len(copies), dtype=np.uint64)
        for start in range(0, len(copies), _ROWS_HASHED):
            rows = slice(start, start + _ROWS_HASHED)
            content = np.hstack(
                [
                    copies[rows, None].astype(">i8").view(np.uint8),
                    np.ascontiguousarray(self.codes[rows], dtype="<i2").view(np.uint8),
                ]
            )
            digests[rows] = np.frombuffer(b"".join(_hash_rows(content, keyed)), dtype=">u8")
        return digests

    def _select(self, chosen: NDArray[np.bool_]) -> Units:
        """Return the units that are chosen, numbered anew."""
        if self.ids is None:
            return Units.from_records(self.codes[chosen])
        rows = chosen[self.unit]
        number = np.cumsum(chosen) - 1
        ids = tuple(text for text, is_chosen in zip(self.ids, chosen, strict=True) if is_chosen)
        return Units(codes=self.codes[rows], unit=number[self.unit[rows]], ids=ids)


def _hash_rows(content: NDArray[np.uint8], keyed: blake2b) -> Iterator[bytes]:
    width, together = content.shape[1], content.tobytes()
    for start in range(0, len(together), width):
        hashed = keyed.copy()
        hashed.update(together[start : start + width])
        yield hashed.digest()


def _number_copies(codes: Codes) -> NDArray[np.int64]:
    """Return for each row how many equal ones stand before it."""
    keys = _pack(codes)
    order = np.lexsort(keys)  # stable
    is_first = np.ones(len(codes), dtype=bool)
    is_first[1:] = False
    for key in keys:
        in_order = key[order]
        is_first[1:] |= in_order[1:] != in_order[:-1]
    starts = np.flatnonzero(is_first)
    sizes = np.diff(starts, append=len(codes))
    numbers = np.empty(len(codes), dtype=np.int64)
    numbers[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return numbers


def _pack(codes: Codes) -> list[NDArray[np.int64]]:
    """Return a few numbers for each row that are all equal if, and only if, the rows are."""
    keys, room = [np.zeros(len(codes), dtype=np.int64)], 2**62
    for column in codes.T if len(codes) else ():
        low = int(column.min())
        size = int(column.max()) - low + 1
        if size > room:
            keys.append(np.zeros(len(codes), dtype=np.int64))
            room = 2**62
        keys[-1] *= size
        keys[-1] += column
        keys[-1] -= low
        room //= size
    return keys
