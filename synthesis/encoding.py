"""From a table to codes and back, by the schema alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthesis.cells import to_dictionary, to_texts
from synthesis.code_reader import CodeReader
from synthesis.errors import InputError
from synthesis.schema.checking import Violation, broken_rules
from synthesis.schema.columns import Column, Datetime, Integer, LevelColumn
from synthesis.schema.cuts import Cuts
from synthesis.schema.reading import BROKEN, Reading, Rule, is_blank, read_column
from synthesis.schema.schema import Schema
from synthesis.units import Codes, Units
from synthesis.units_builder import UnitsBuilder

_NAMED_VIOLATIONS = 3

Records: TypeAlias = pd.DataFrame | pa.RecordBatch


def encode(schema: Schema, table: pd.DataFrame) -> Codes:
    """Return the code of every cell, shape `(n_rows, n_columns)`, columns in the schema's order.

    Columns of the table that the schema does not declare are not read.

    Raises:
        InputError: when a cell breaks a rule of the schema; the first few rules are named. The
            sentence holds counts of private cells, so it must not leave the site.
    """
    readings = _read(schema, table)
    codes = np.empty((len(table), len(readings)), dtype=np.int16)
    for index, reading in enumerate(readings):
        codes[:, index] = reading.codes
    return codes


def read_units(
    schema: Schema, records: Records | Iterable[Records], missing: Collection[int] = ()
) -> Units:
    """Return the units of a site: the rows that fit the schema, each with its record or person.

    Whether a row takes part depends on that row alone, so leaving rows out moves no sensitivity,
    and a row that does not fit cannot be told from its absence. Persons are told apart by the text
    of their id as it stands; a row without one does not take part, and a person's broken rows leave
    their weight to the others.

    Args:
        schema: the declaration.
        records: one table, or its parts one after the other; of earlier ones, only the codes and
            the different ids are kept.
        missing: positions of columns that are not read; their codes are 0 in every row.

    Raises:
        InputError: when a table lacks a column that is needed; no row decides that.
    """
    readers = [CodeReader(column) for column in schema.columns]
    units = UnitsBuilder(len(schema.columns), has_persons=schema.unit.person_column is not None)
    for part in [records] if isinstance(records, Records) else records:
        if isinstance(part, pd.DataFrame):
            _add_table(units, schema, part, missing)
        else:
            _add_batch(units, schema, readers, part, missing)
    return units.build()


def needed_columns(schema: Schema, missing: Collection[int] = ()) -> list[str]:
    """Return the names of the columns that a site reads, all but those at some positions."""
    person = schema.unit.person_column
    names = [name for index, name in enumerate(schema.names) if index not in missing]
    return [*names, *([person] if person else [])]


def _check_columns(schema: Schema, names: list[str], missing: Collection[int]) -> None:
    lacking = [name for name in needed_columns(schema, missing) if names.count(name) != 1]
    if lacking:
        rule = Rule.DUPLICATE_COLUMN if lacking[0] in names else Rule.MISSING_COLUMN
        raise _cannot_read(schema, [Violation(column=lacking[0], rule=rule, count=1)])


def _add_table(
    units: UnitsBuilder, schema: Schema, records: pd.DataFrame, missing: Collection[int]
) -> None:
    """Add the rows of a table that fit the schema."""
    _check_columns(schema, list(records.columns), missing)
    codes = np.zeros((len(records), len(schema.columns)), dtype=np.int16)
    for index, column in enumerate(schema.columns):
        if index not in missing:
            codes[:, index] = read_column(column, records[column.name]).codes
    fits = (codes != BROKEN).all(axis=1)
    person = schema.unit.person_column
    if person is None:
        units.add(codes[fits])
        return
    fits &= ~is_blank(records[person])
    units.add(codes[fits], units.number_persons(read_ids(records[person][fits])))


def _add_batch(
    units: UnitsBuilder,
    schema: Schema,
    readers: list[CodeReader],
    records: pa.RecordBatch,
    missing: Collection[int],
) -> None:
    """Add the rows of a part as it was read that fit the schema."""
    _check_columns(schema, records.schema.names, missing)
    codes = np.zeros((len(records), len(schema.columns)), dtype=np.int16)
    fits = np.ones(len(records), dtype=bool)
    for index, (column, reader) in enumerate(zip(schema.columns, readers, strict=True)):
        if index in missing:
            continue
        codes[:, index] = read = reader.read(records.column(column.name))
        fits &= read != BROKEN
    person = schema.unit.person_column
    if person is None:
        units.add(codes if fits.all() else codes[fits])
        return
    values, places = to_dictionary(records.column(person))
    ids = [text or "" for text in to_texts(values)]
    place = places.fill_null(len(ids)).to_numpy(zero_copy_only=False)
    fits &= np.array([*(bool(text.strip()) for text in ids), False])[place]
    used = np.unique(place[fits])
    numbers = np.zeros(len(ids), dtype=np.int64)
    numbers[used] = units.number_persons(ids[index] for index in used)
    units.add(codes[fits], numbers[place[fits]])


def read_ids(cells: pd.Series[Any]) -> list[str]:
    """Return the text that tells persons apart for every row, each cell read by itself."""
    return [str(cell) for cell in cells.astype(object)]


def decode(
    schema: Schema, codes: NDArray[np.integer[Any]], rng: np.random.Generator
) -> pd.DataFrame:
    """Draw a table that has these codes; every value obeys the schema.

    A value is drawn uniformly inside its cell (log-uniformly under `transform = "log"`), rounded to
    the declared resolution, and never equals a point mass.

    Args:
        schema: the declaration.
        codes: shape `(n_rows, n_columns)`.
        rng: where the draws inside cells come from.

    Raises:
        InputError: when the codes do not have the shape or the range the schema asks for.
    """
    _check_codes(schema, codes)
    return to_frame(schema, place(schema, codes, rng, {}))


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """The cells of one column before they have a type.

    Attributes:
        places: level of every cell, or its position on the grid, ``(n_rows,)``; anything where a
            cell is missing.
        missing: which cells are missing, ``(n_rows,)``.
    """

    places: NDArray[np.int64]
    missing: NDArray[np.bool_]


def place(
    schema: Schema,
    codes: NDArray[np.integer[Any]],
    rng: np.random.Generator,
    cuts: Mapping[int, Cuts],
) -> list[Placed]:
    """Draw the places of cells that have these codes, column by column.

    Args:
        schema: the declaration.
        codes: shape `(n_rows, n_columns)`.
        rng: where the draws inside cells come from.
        cuts: for columns by their index, what may be drawn of cells; the rest is drawn from whole
            cells.
    """
    placed = []
    for index, column in enumerate(schema.columns):
        places = codes[:, index].astype(np.int64)
        missing = places == (-1 if column.missing_code is None else column.missing_code)
        if not isinstance(column, LevelColumn):
            draw = cuts[index].decode if index in cuts else column.grid.decode
            if column.missing:
                places[~missing] = draw(places[~missing], rng)
            else:
                places = draw(places, rng)
        placed.append(Placed(places=places, missing=missing))
    return placed


def to_frame(schema: Schema, placed: Sequence[Placed]) -> pd.DataFrame:
    """Return the table that has its cells in these places."""
    typed = {
        column.name: _to_cells(column, each.places, each.missing)
        for column, each in zip(schema.columns, placed, strict=True)
    }
    return pd.DataFrame(typed, columns=list(schema.names))


def conform(schema: Schema, table: pd.DataFrame) -> pd.DataFrame:
    """Return the schema's columns of a table in the types that `decode` gives, values unchanged.

    Raises:
        InputError: when a cell breaks a rule of the schema.
    """
    readings = _read(schema, table)
    return to_frame(schema, [Placed(places=r.positions, missing=r.missing) for r in readings])


def _read(schema: Schema, table: pd.DataFrame) -> list[Reading]:
    """Read every declared column, or raise InputError naming what is wrong."""
    readings: list[Reading] = []
    violations: list[Violation] = []
    for column in schema.columns:
        copies = list(table.columns).count(column.name)
        if copies != 1:
            rule = Rule.DUPLICATE_COLUMN if copies else Rule.MISSING_COLUMN
            violations.append(Violation(column=column.name, rule=rule, count=max(copies, 1)))
            continue
        reading = read_column(column, table[column.name])
        readings.append(reading)
        violations.extend(broken_rules(column, reading))
    if violations:
        raise _cannot_read(schema, violations)
    return readings


def _cannot_read(schema: Schema, violations: list[Violation]) -> InputError:
    named = " ".join(v.sentence() for v in violations[:_NAMED_VIOLATIONS])
    rest = len(violations) - _NAMED_VIOLATIONS
    more = (
        f" ({rest} more; check the table against the schema to list them all.)" if rest > 0 else ""
    )
    return InputError(
        f"the table does not fit the schema {schema.name!r}: {named}{more}",
        argument=violations[0].column,
    )


def _check_codes(schema: Schema, codes: NDArray[np.integer[Any]]) -> None:
    if codes.ndim != 2 or codes.shape[1] != len(schema.columns):
        raise InputError(
            f"codes must have shape (rows, {len(schema.columns)}), one column for each of the "
            f"schema, got {codes.shape}; decode with the schema the codes were made with",
            argument="codes",
        )
    wrong = (codes < 0) | (codes >= np.array(schema.sizes))
    if wrong.any():
        name = schema.names[int(np.argmax(wrong.any(axis=0)))]
        raise InputError(
            f"codes of column {name!r} must lie in 0..{schema.column(name).size - 1}; "
            "decode with the schema the codes were made with",
            argument="codes",
        )


def _to_cells(
    column: Column, places: NDArray[np.int64], missing: NDArray[np.bool_]
) -> pd.Series[Any]:
    """Turn places (levels or grid positions) into cells of the column's own type."""
    if isinstance(column, LevelColumn):
        words = pa.array([*column.levels, None], pa.large_string())
        picked = words.take(pa.array(np.where(missing, len(column.levels), places)))
        return pd.Series(pd.array(picked, dtype="str"))
    known = np.where(missing, 0, places)
    if isinstance(column, Integer):
        numbers = pd.Series(column.grid.to_units(known))
        return numbers.astype("Int64").mask(missing) if column.missing else numbers
    if isinstance(column, Datetime):
        moments = pd.Series(column.grid.to_units(known).astype("datetime64[s]"))
        return moments.mask(missing) if column.missing else moments
    return pd.Series(np.where(missing, np.nan, column.grid.to_values(known)))
