"""Conditions such as `income=>50K`: parsed, and turned into what they leave of a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.schema.columns import Column, Datetime, LevelColumn, NumberColumn, Ordinal
from synthesis.schema.cuts import Cuts, Range
from synthesis.schema.schema import Schema

Operator = Literal["=", "!=", "<", "<=", ">", ">="]

_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_EXAMPLE = 'write column, operator and value, such as "age>=65" or "income=>50K"'
_OPPOSITE: dict[str, Operator] = {"!=": "=", ">": "<=", ">=": "<"}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One comparison of a column with a value; an empty value stands for a missing one."""

    column: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.column}{self.operator}{self.value}"


def parse_condition(text: str) -> Condition:
    """Read a condition; the first operator counts, so `income=>50K` asks for the class `>50K`.

    >>> parse_condition("income=>50K").value
    '>50K'

    Raises:
        InputError: when there is no column name or no operator.
    """
    match = _OPERATOR.search(text)
    column = text[: match.start()].strip() if match else ""
    if match is None or not column:
        raise InputError(f"condition {text!r} cannot be read; {_EXAMPLE}", argument="where")
    operator = cast(Operator, match.group())
    return Condition(column=column, operator=operator, value=text[match.end() :].strip())


@dataclass(frozen=True, kw_only=True)
class Restriction:
    """What conditions leave of one column.

    Attributes:
        column: the column.
        ranges: first and last place of what may occur, in order and apart; places are the levels,
            or the positions of the grid.
        missing: whether a missing value may occur.
    """

    column: Column
    ranges: tuple[Range, ...]
    missing: bool

    @classmethod
    def all_of(cls, column: Column) -> Self:
        """Return what no condition leaves: all of the column."""
        return cls(column=column, ranges=((0, _last_place(column)),), missing=column.missing)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The probability that a value drawn for each code satisfies them, ``(column.size,)``."""
        if isinstance(self.column, LevelColumn):
            alone, cells = np.arange(len(self.column.levels)), np.empty(0)
        else:
            grid = self.column.grid
            alone = np.array(grid.masses, dtype=np.int64)
            cells = Cuts.of(grid, self.ranges).shares
        first, last = np.array(self.ranges, dtype=np.int64).reshape(-1, 2).T
        holds = ((first <= alone[:, None]) & (alone[:, None] <= last)).any(axis=1)
        return np.concatenate([holds, cells, [self.missing] * self.column.missing])

    @cached_property
    def cuts(self) -> Cuts | None:
        """What is left of the cells, if any is left in part."""
        is_cut = ((self.shares > 0) & (self.shares < 1)).any()
        if isinstance(self.column, LevelColumn) or not is_cut:
            return None
        return Cuts.of(self.column.grid, self.ranges)

    def narrow(self, condition: Condition) -> Restriction:
        """Return what this and a further condition leave together."""
        ranges, missing = _wanted(self.column, condition)
        both = [(max(a, c), min(b, d)) for a, b in self.ranges for c, d in ranges]
        left = tuple((first, last) for first, last in both if first <= last)
        if not left and not (missing and self.missing):
            raise _problem(condition, "no row can satisfy it (with the other conditions); widen it")
        return replace(self, ranges=left, missing=missing and self.missing)


def restrict(schema: Schema, conditions: Sequence[Condition]) -> dict[int, Restriction]:
    """Return for every column with conditions what they leave of it.

    A missing value satisfies `column=` (nothing after the sign) only.

    Returns:
        Column index to what is left of the column.

    Raises:
        InputError: for an unknown column or value, an order where none is declared, or conditions
            nothing can satisfy.
    """
    left: dict[int, Restriction] = {}
    for condition in conditions:
        if condition.column not in schema.names:
            raise _problem(
                condition, f"the schema has no such column; it has {_list(schema.names)}"
            )
        index = schema.names.index(condition.column)
        column = schema.columns[index]
        left[index] = left.get(index, Restriction.all_of(column)).narrow(condition)
    return left


def _last_place(column: Column) -> int:
    return len(column.levels) - 1 if isinstance(column, LevelColumn) else column.grid.count - 1


def _wanted(column: Column, condition: Condition) -> tuple[tuple[Range, ...], bool]:
    """Return the places that satisfy a condition, and whether a missing value does."""
    last = _last_place(column)
    if condition.value == "":
        return _wanted_missing(column, condition, (0, last))
    operator = condition.operator
    first, after = _span(column, condition, _OPPOSITE.get(operator, operator))
    ranges = [(first, after)]
    if operator in _OPPOSITE:
        ranges = [(0, first - 1), (after + 1, last)]
    return tuple(each for each in ranges if each[0] <= each[1]), False


def _wanted_missing(
    column: Column, condition: Condition, everything: Range
) -> tuple[tuple[Range, ...], bool]:
    if not column.missing:
        raise _problem(condition, "the column has no missing values; write a value after the sign")
    if condition.operator not in ("=", "!="):
        raise _problem(condition, "there is no value after the sign; write one")
    return ((), True) if condition.operator == "=" else ((everything,), False)


def _span(column: Column, condition: Condition, operator: Operator) -> Range:
    """Return the first and last place that satisfy `=`, `<` or `<=`."""
    if isinstance(column, LevelColumn):
        return _levels(column, condition, operator)
    at_most, below = _place(column, condition)
    if operator == "=":
        if at_most == below:
            raise _problem(condition, "the column cannot have this value; use < or > instead")
        return at_most, at_most
    return 0, at_most if operator == "<=" else below


def _levels(column: LevelColumn, condition: Condition, operator: Operator) -> Range:
    if condition.value not in column.levels:
        raise _problem(condition, f"the column has no such level; it has {_list(column.levels)}")
    code = column.levels.index(condition.value)
    if operator == "=":
        return code, code
    if not isinstance(column, Ordinal):
        raise _problem(condition, "its levels have no order; use = or !=")
    return 0, code if operator == "<=" else code - 1


def _place(column: NumberColumn, condition: Condition) -> tuple[int, int]:
    """Return the last grid position at or below the value, and the last one below it (or -1)."""
    grid = column.grid
    steps = (_to_units(column, condition) - grid.origin) / grid.step
    last = grid.count - 1
    return min(max(floor(steps), -1), last), min(max(ceil(steps) - 1, -1), last)


def _to_units(column: NumberColumn, condition: Condition) -> Fraction:
    """Read the value exactly: 0.1 is a tenth, not the nearest double."""
    try:
        if isinstance(column, Datetime):
            moment = datetime.fromisoformat(condition.value)
            if moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            return Fraction((moment - datetime(1970, 1, 1)) // timedelta(microseconds=1), 10**6)
        return Fraction(condition.value) * column.grid.scale
    except (ValueError, ZeroDivisionError) as error:
        expected = "a date such as 2024-05-31" if isinstance(column, Datetime) else "a number"
        raise _problem(condition, f"the value must be {expected}") from error


def _problem(condition: Condition, rule: str) -> InputError:
    return InputError(f"condition {str(condition)!r} cannot be met: {rule}.", argument="where")


def _list(words: Sequence[str]) -> str:
    """List up to a dozen words."""
    shown = ", ".join(words[:12])
    return shown if len(words) <= 12 else f"{shown} and {len(words) - 12} more"
