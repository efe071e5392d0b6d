"""Conditions such as `income=>50K`: parsed, and turned into the codes that satisfy them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.schema.columns import Column, Datetime, LevelColumn, NumberColumn, Ordinal
from synthesis.schema.schema import Schema

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
Flags = NDArray[np.bool_]

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


def allowed_codes(schema: Schema, conditions: Sequence[Condition]) -> dict[int, Flags]:
    """Return for every column with conditions which of its codes satisfy all of them.

    The answer is exact: a row has an allowed code in every column exactly when its decoded values
    satisfy the conditions. A missing value satisfies `column=` (nothing after the sign) only.

    Returns:
        Column index to a mask of shape `(column.size,)`.

    Raises:
        InputError: for an unknown column or value, an order where none is declared, a bound inside
            a cell (the nearest bounds that work are named), or conditions nothing can satisfy.
    """
    allowed: dict[int, Flags] = {}
    for condition in conditions:
        if condition.column not in schema.names:
            raise _problem(
                condition, f"the schema has no such column; it has {_list(schema.names)}"
            )
        index = schema.names.index(condition.column)
        mask = _codes_of(schema.columns[index], condition)
        allowed[index] = allowed.get(index, np.ones_like(mask)) & mask
        if not allowed[index].any():
            raise _problem(condition, "no row can satisfy it (with the other conditions); widen it")
    return allowed


def _codes_of(column: Column, condition: Condition) -> Flags:
    if condition.value == "":
        return _missing_codes(column, condition)
    known: Flags = np.arange(column.size) != (
        -1 if column.missing_code is None else column.missing_code
    )
    operator = condition.operator
    if operator in _OPPOSITE:
        return known & ~_below_or_equal(column, condition, _OPPOSITE[operator])
    return _below_or_equal(column, condition, operator)


def _missing_codes(column: Column, condition: Condition) -> Flags:
    if column.missing_code is None:
        raise _problem(condition, "the column has no missing values; write a value after the sign")
    if condition.operator not in ("=", "!="):
        raise _problem(condition, "there is no value after the sign; write one")
    is_missing: Flags = np.arange(column.size) == column.missing_code
    return is_missing if condition.operator == "=" else ~is_missing


def _below_or_equal(column: Column, condition: Condition, operator: Operator) -> Flags:
    """Return the codes that satisfy `=`, `<` or `<=`; missing never does."""
    if isinstance(column, LevelColumn):
        return _levels(column, condition, operator)
    return _cells(column, condition, operator)


def _levels(column: LevelColumn, condition: Condition, operator: Operator) -> Flags:
    if condition.value not in column.levels:
        raise _problem(condition, f"the column has no such level; it has {_list(column.levels)}")
    code = column.levels.index(condition.value)
    codes = np.arange(column.size)
    if operator == "=":
        equal: Flags = codes == code
        return equal
    if not isinstance(column, Ordinal):
        raise _problem(condition, "its levels have no order; use = or !=")
    last = code if operator == "<=" else code - 1
    below: Flags = codes <= last
    return below


def _cells(column: NumberColumn, condition: Condition, operator: Operator) -> Flags:
    """Compare the lowest and highest position under every code with the place of the value."""
    grid = column.grid
    low, high = (np.concatenate([grid.masses, ends]).astype(np.int64) for ends in grid.bounds)
    at_most, below = _place(column, condition)
    if operator == "=":
        if at_most == below:
            raise _problem(condition, "the column cannot have this value; use < or > instead")
        some, every = (low <= at_most) & (at_most <= high), (low == at_most) & (at_most == high)
    else:
        last = at_most if operator == "<=" else below
        some, every = low <= last, high <= last
    cut = np.flatnonzero(some & ~every)
    if len(cut):
        raise _cut(column, condition, int(low[cut[0]]), int(high[cut[0]]))
    return np.append(every, [False] * column.missing).astype(bool)


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


def _cut(column: NumberColumn, condition: Condition, low: int, high: int) -> InputError:
    """Say that the values from low to high share a code, and which bounds do not cut it."""
    first, last = column.format_position(low), column.format_position(high)
    name = condition.column
    nearest = {
        "=": f"{name}>={first} together with {name}<={last}",
        "!=": f"{name}<{first} or {name}>{last}",
        "<": f"{name}<{first} or {name}<={last}",
        ">": f"{name}>={first} or {name}>{last}",
    }[condition.operator if condition.operator in ("=", "!=") else condition.operator[0]]
    return _problem(
        condition,
        f"values from {first} to {last} are generated as one group, which it would cut; "
        f"the nearest that holds exactly is {nearest}",
    )


def _problem(condition: Condition, rule: str) -> InputError:
    return InputError(f"condition {str(condition)!r} cannot be met: {rule}.", argument="where")


def _list(words: Sequence[str]) -> str:
    """List up to a dozen words."""
    shown = ", ".join(words[:12])
    return shown if len(words) <= 12 else f"{shown} and {len(words) - 12} more"
