"""Margins: the shares that values of a column, or of two, are to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from synthesis.conditions import Condition, Restriction, parse_condition
from synthesis.encoding import Placed
from synthesis.errors import InputError
from synthesis.mixing.grouping import Axis, Floats, Integers
from synthesis.schema import LevelColumn, Schema

EXACT = 1e-6
"""How far shares may be from adding to 1; they are then scaled."""
_BETWEEN = " to "
_SIGNS = ("<", ">", "=", "!")


@dataclass(frozen=True, kw_only=True, eq=False)
class Margin:
    """What is asked of one column or two.

    Attributes:
        name: how sentences call it, such as ``'age'``.
        axes: its columns.
        shares: the shares of all combinations of listed parts, NaN where one is not listed; one
            dimension for each axis. What is not listed shares what is left, as it falls.
        wish: the option that asks for it.
    """

    name: str
    axes: tuple[Axis, ...]
    shares: Floats
    wish: str = "match"

    @property
    def columns(self) -> tuple[int, ...]:
        """Indices of its columns."""
        return tuple(axis.column for axis in self.axes)

    def key(self, cell: int) -> str:
        """Write a combination of parts as in the file; the last cell is what is not listed."""
        listed = np.argwhere(~np.isnan(self.shares))
        if cell == len(listed):
            return "what is not listed"
        keys = zip(self.axes, listed[cell], strict=True)
        return ", ".join(repr(axis.keys[part]) for axis, part in keys)

    @cached_property
    def _numbers(self) -> Integers:
        """The cell of every combination of parts; ``REST``, which is -1, finds the added border."""
        is_listed = ~np.isnan(self.shares)
        count = int(is_listed.sum())
        numbers = np.full(self.shares.shape, count, dtype=np.int64)
        numbers[is_listed] = np.arange(count)
        return np.pad(numbers, [(0, 1)] * numbers.ndim, constant_values=count)

    def measure(self, placed: Sequence[Placed]) -> Floats:
        """Return the share of every cell among rows; the last cell is what is not listed."""
        parts = [axis.find_cells(placed[axis.column]) for axis in self.axes]
        counts = np.bincount(self._numbers[tuple(parts)], minlength=self._numbers.max() + 1)
        return np.asarray(counts / counts.sum())

    def split(self, parts: Sequence[Integers]) -> tuple[Integers, Floats]:
        """Number the combinations of groups by what they are to share.

        Args:
            parts: per axis, the part that holds each group.

        Returns:
            The cell of every combination of groups, and the share of every cell; the last cell is
            what is not listed.

        Raises:
            InputError: if the shares do not add to 1.
        """
        cells = self._numbers[np.ix_(*parts)]
        listed = self.shares[~np.isnan(self.shares)]
        total = listed.sum()
        has_rest = bool((cells == len(listed)).any())
        if total > 1 + EXACT or (not has_rest and total < 1 - EXACT):
            raise InputError(
                f"{self.wish}: the shares of {self.name} add to {total:.6g}, and they must add to 1"
                f"{', or to less for the rest to be shared by what is not listed' * has_rest}; "
                "correct them.",
                argument=self.wish,
            )
        rest = 1 - total if 1 - total > EXACT else 0.0
        shares = np.append(listed, rest)
        return cells, shares / shares.sum()


def read_margin(schema: Schema, columns: Sequence[str], shares: Mapping[str, object]) -> Margin:
    """Read a margin of one column, or of two with a table of shares for each key of the first.

    Keys are levels; of numbers and dates they are `LOW to HIGH` (both included), one value, or a
    bound such as `<30`; an empty key is a missing value.

    Raises:
        InputError: if it cannot be used; the sentence names what and why.
    """
    name = " with ".join(map(repr, columns))
    axes = []
    for depth, column in enumerate(columns):
        if column not in schema.names:
            known = ", ".join(schema.names)
            raise _problem(f"the schema has no column {column!r}; it has {known}")
        tables = list(shares.values()) if depth else [shares]
        if not all(isinstance(table, Mapping) and table for table in tables):
            raise _problem(f"{name} needs a table of shares for every key; write one")
        keys = list(dict.fromkeys(str(key) for table in tables for key in table))  # type: ignore[attr-defined]
        axes.append(_read_axis(schema, schema.names.index(column), keys))
    found = np.full([len(axis.keys) for axis in axes], np.nan)
    for row, (key, value) in enumerate(shares.items()):
        if len(axes) == 1:
            found[row] = _read_share(value, f"{name}, {key!r}")
            continue
        assert isinstance(value, Mapping)
        for other, share in value.items():
            found[row, axes[1].keys.index(str(other))] = _read_share(
                share, f"{name}, {key!r}, {other!r}"
            )
    return Margin(name=name, axes=tuple(axes), shares=found)


def _read_axis(schema: Schema, index: int, keys: Sequence[str]) -> Axis:
    column = schema.columns[index]
    parts = []
    for key in keys:
        part = Restriction.all_of(column)
        try:
            for condition in _conditions(schema, index, key):
                part = part.narrow(condition)
        except InputError as error:
            raise _problem(f"{column.name!r}, {key!r}: {error}".rstrip(".")) from None
        parts.append(part)
    axis = Axis(column=index, parts=tuple(parts), keys=tuple(keys))
    overlap = axis.find_overlap()
    if overlap is not None:
        first, second = overlap
        raise _problem(f"{column.name!r}: {first!r} and {second!r} overlap; keep them apart")
    return axis


def _conditions(schema: Schema, index: int, key: str) -> list[Condition]:
    column = schema.columns[index]
    if isinstance(column, LevelColumn) or key == "":
        return [Condition(column=column.name, operator="=", value=key)]
    if _BETWEEN in key:
        low, high = key.split(_BETWEEN, maxsplit=1)
        return [
            Condition(column=column.name, operator=">=", value=low.strip()),
            Condition(column=column.name, operator="<=", value=high.strip()),
        ]
    if key.startswith(_SIGNS):
        return [replace(parse_condition("x" + key), column=column.name)]
    return [Condition(column=column.name, operator="=", value=key)]


def _read_share(value: object, place: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(value) <= 1:  # type: ignore[arg-type]
        raise _problem(f"the share of {place} must be a number from 0 to 1, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _problem(sentence: str) -> InputError:
    return InputError(f"match: {sentence}.", argument="match")
