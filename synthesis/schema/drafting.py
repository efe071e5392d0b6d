"""A first proposal of a schema from local rows, for a person to correct and approve.

Unlike everything else in this package it reads private rows: categories and bounds are theirs. The
draft stays on the site's own screen until a person has replaced them by public knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.schema.columns import (
    SECONDS,
    Boolean,
    Categorical,
    Column,
    Continuous,
    Datetime,
    Integer,
    LevelColumn,
    to_number,
)
from synthesis.schema.grid import MAX_CODES_WITHOUT_BINS
from synthesis.schema.reading import is_blank
from synthesis.schema.schema import MAX_LABEL_LEVELS, Schema, UnitOfPrivacy

MAX_CATEGORIES = 64
_BINS = 32
_MAX_DECIMALS = 6
_SPIKE = 0.2  # share of rows at one value that makes it a point mass
_ZEROS = 0.05  # the same for zero in a column without negative values
_LONG_TAIL = 20  # highest value over median value from which bins are spaced by ratio
_IDENTIFYING = re.compile(
    r"(?:^|[^a-z])(id|pid|mrn|ssn|uuid|guid|names?|surname|firstname|lastname|e?mail|phone|address|"
    r"street|iban|passport|person)(?:$|[^a-z])"
)
_YES_NO = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"0", "1"})
_YES = {"yes", "true", "y", "t", "1"}


def draft_schema(
    table: pd.DataFrame, *, name: str, label: str | None = None, person: str | None = None
) -> Schema:
    """Propose a schema that the table fits. It is drawn from private rows: never send it as it is.

    Names, identifiers, free text and columns with one value go to `ignore`. Whole numbers keep one
    code each where there are few; long tails get bins by ratio and exact zeros a code of their own.

    Args:
        table: local rows.
        name: name of the schema.
        label: column to use as the label; by default the last one that can be a label.
        person: column that tells persons apart, where the unit of privacy is a person.

    Raises:
        InputError: when no column can be the label, or one that is named cannot be used.
    """
    columns: list[Column] = []
    ignore: list[str] = []
    unit = _draft_unit(table, label, person)
    for column_name in map(str, table.columns.drop(unit.person_column or [])):
        drafted = _draft_column(column_name, table[column_name], is_label=column_name == label)
        if drafted is None:
            ignore.append(column_name)
        else:
            columns.append(drafted)
    label = _choose_label(columns, table, label)
    if len(columns) < 2:
        raise InputError(
            "a schema needs at least two columns that vary and identify nobody; "
            f"the table has {len(columns)}",
            argument="data",
        )
    return Schema(name=name, columns=tuple(columns), label=label, unit=unit, ignore=tuple(ignore))


def _draft_unit(table: pd.DataFrame, label: str | None, person: str | None) -> UnitOfPrivacy:
    if person is None:
        return UnitOfPrivacy()
    if person not in table.columns or person == label:
        why = "is the label" if person == label else "is not in the table"
        raise InputError(
            f"person column {person!r} {why}; name the column that tells persons apart",
            argument="person",
        )
    return UnitOfPrivacy(kind="person", person_column=person)


def _choose_label(columns: list[Column], table: pd.DataFrame, label: str | None) -> str:
    fit = [
        column.name
        for column in columns
        if isinstance(column, LevelColumn)
        and not column.missing
        and column.size <= MAX_LABEL_LEVELS
    ]
    if label is not None and label not in fit:
        why = "is not in the table" if label not in table.columns else "cannot be the label"
        raise InputError(
            f"label {label!r} {why}: it must be a column with 2 to {MAX_LABEL_LEVELS} different "
            f"values and none missing, such as {', '.join(fit[-3:]) or '(there is none)'}",
            argument="label",
        )
    if not fit:
        raise InputError(
            f"no column can be the label: one with 2 to {MAX_LABEL_LEVELS} different values and "
            "none missing is needed; add one, such as a group of rows",
            argument="label",
        )
    return label or fit[-1]


def _draft_column(name: str, cells: pd.Series[Any], *, is_label: bool) -> Column | None:
    """Return a declaration the cells fit, or None for a column to ignore."""
    missing = is_blank(cells)
    known = cells[~missing]
    distinct = known.nunique()
    if distinct + bool(missing.any()) < 2 or (_identifies(name) and not is_label):
        return None
    has_missing = bool(missing.any())
    if is_label or pd.api.types.is_bool_dtype(known) or _is_flag(known):
        return _levels(name, known, has_missing)
    numbers = _as_numbers(known)
    if numbers is not None:
        return _number(name, numbers, has_missing)
    moments = _as_moments(known)
    if moments is not None:
        return _datetime(name, moments, has_missing)
    return _levels(name, known, has_missing)


def _identifies(name: str) -> bool:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return _IDENTIFYING.search(parted.lower()) is not None


def _is_flag(known: pd.Series[Any]) -> bool:
    return known.nunique() == 2 and {_text(value).lower() for value in known.unique()} in _YES_NO


def _text(value: Hashable) -> str:
    """Write a value as the category that matches it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _levels(name: str, known: pd.Series[Any], missing: bool) -> Column | None:
    words = sorted({_text(value) for value in known.unique()})
    if len(words) > MAX_CATEGORIES or len(words) > max(2, len(known) // 2):
        return None  # free text or an identifier
    if _is_flag(known) and len(words) == 2:
        yes = words[0] if words[0].lower() in _YES else words[1]
        no = words[1] if yes == words[0] else words[0]
        return Boolean(name=name, true=yes, false=no, missing=missing)
    return Categorical(name=name, categories=tuple(words), missing=missing)


def _as_numbers(known: pd.Series[Any]) -> NDArray[np.float64] | None:
    if not pd.api.types.is_numeric_dtype(known):  # a cell of spaces makes all others text
        read = [to_number(value) if isinstance(value, str) else None for value in known]
        if None in read:
            return None
        known = pd.Series(read)
    numbers = known.to_numpy(dtype=np.float64)
    usable = np.isfinite(numbers) & (np.abs(numbers) < 1e9)
    return numbers if usable.all() else None


def _as_moments(known: pd.Series[Any]) -> NDArray[np.int64] | None:
    """Return whole seconds since 1970, or None when the cells are no dates."""
    if not pd.api.types.is_datetime64_any_dtype(known):
        dated = known.astype(str).str.match(r"\d{4}-\d{2}-\d{2}")
        if not dated.all():
            return None
    moments = pd.to_datetime(known, errors="coerce", utc=True, format="ISO8601")
    if moments.isna().any():
        return None
    micro = moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return None if (micro % 1_000_000).any() else micro // 1_000_000


def _number(name: str, numbers: NDArray[np.float64], missing: bool) -> Column | None:
    decimals = _decimals(numbers)
    distinct = len(np.unique(numbers))
    if decimals == 0 and distinct == len(numbers) > 20 and np.ptp(numbers) < 10 * distinct:
        return None  # numbers given out in turn
    rounded = np.round(numbers, decimals)
    masses = _point_masses(rounded)
    is_log = _is_long_tailed(rounded)
    if is_log and rounded.min() == 0 and 0.0 not in masses:
        masses = (0.0, *masses)
    low, high = _bounds(rounded, keep_low=is_log)
    steps = round((high - low) * 10**decimals) + 1
    if steps <= max(2, len(masses)):
        return _levels(name, pd.Series(rounded), missing)
    shape: dict[str, Any] = {"name": name, "missing": missing}
    if steps > MAX_CODES_WITHOUT_BINS:
        shape["bins"] = min(_BINS - len(masses), steps - len(masses))
        shape["transform"] = "log" if is_log else "none"
        shape["point_masses"] = tuple(int(m) if decimals == 0 else m for m in masses)
    if decimals == 0:
        return Integer(minimum=int(low), maximum=int(high), **shape)
    return Continuous(minimum=low, maximum=high, decimals=decimals, **shape)


def _decimals(numbers: NDArray[np.float64]) -> int:
    for decimals in range(_MAX_DECIMALS):
        if np.allclose(np.round(numbers, decimals), numbers, rtol=0, atol=1e-9):
            return decimals
    return _MAX_DECIMALS


def _point_masses(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    values, counts = np.unique(numbers, return_counts=True)
    shares = counts / len(numbers)
    is_mass = (shares >= _SPIKE) | ((values == 0) & (shares >= _ZEROS) & (values.min() >= 0))
    return tuple(values[is_mass].tolist()[:3])


def _is_long_tailed(numbers: NDArray[np.float64]) -> bool:
    positive = numbers[numbers > 0]
    if numbers.min() < 0 or len(positive) == 0:
        return False
    return bool(positive.max() > _LONG_TAIL * np.median(positive))


def _bounds(numbers: NDArray[np.float64], *, keep_low: bool) -> tuple[float, float]:
    """Return bounds rounded outwards to two digits of their distance."""
    low, high = float(numbers.min()), float(numbers.max())
    unit = 10.0 ** max(0, np.floor(np.log10(max(high - low, 1))) - 1)
    lower = low if keep_low else float(np.floor(low / unit) * unit)
    return lower, float(np.ceil(high / unit) * unit)


def _datetime(name: str, seconds: NDArray[np.int64], missing: bool) -> Column:
    resolution = next(unit for unit, length in SECONDS.items() if not (seconds % length).any())
    low, high = (
        pd.Timestamp(int(end), unit="s").to_pydatetime() for end in (seconds.min(), seconds.max())
    )
    steps = int(np.ptp(seconds)) // SECONDS[resolution] + 1
    bins = min(_BINS, steps) if steps > MAX_CODES_WITHOUT_BINS else None
    return Datetime(
        name=name, minimum=low, maximum=high, resolution=resolution, bins=bins, missing=missing
    )
