"""Checking a table against a schema: every violation by column and rule, with counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthesis.schema.columns import Column
from synthesis.schema.reading import Reading, Rule, is_blank, read_column
from synthesis.schema.schema import Schema

WHOLE_TABLE = "(table)"

_WAYS_OUT = {
    Rule.EMPTY_TABLE: "has no rows; hand over a table with at least one row",
    Rule.MISSING_COLUMN: "is declared in the schema, but the table lacks it; add it to the table "
    "or take it out of the schema",
    Rule.UNKNOWN_COLUMN: "is in the table, but the schema does not know it; declare it under "
    "columns or list it under ignore",
    Rule.DUPLICATE_COLUMN: "occurs more than once in the table; rename or remove the others",
    Rule.WRONG_TYPE: "has {cells} of the wrong type (expected: {expected}); correct them or "
    "declare another kind",
    Rule.UNKNOWN_CATEGORY: "has {cells} that match none of the declared categories (capitals and "
    "spaces count); add the category to the schema or correct the cells",
    Rule.OUT_OF_BOUNDS: "has {cells} outside the declared bounds ({expected}); widen minimum or "
    "maximum in the schema or correct the cells",
    Rule.OFF_GRID: "has {cells} between the values that the declared resolution allows "
    "({expected}); use a finer resolution, kind 'continuous', or round the cells",
    Rule.UNEXPECTED_MISSING: "has {cells} without a value, which the schema does not allow; set "
    "missing = true (not for the label) or drop these rows",
    Rule.ALL_MISSING: "has no value in any row; list it under ignore instead of columns",
    Rule.ONE_CLASS: "is the label, but all rows have the same class; choose another label or a "
    "table that has both",
}


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One rule that one column of a table breaks. For the local screen only: counts are private.

    Attributes:
        column: name of the column, or `(table)`.
        rule: the rule it breaks.
        count: number of cells (or columns, or rows) that break it.
        first_row: the first row that breaks it, counted from 1, where rows can be told.
        expected: what the schema declares, in words.
    """

    column: str
    rule: Rule
    count: int
    first_row: int | None = None
    expected: str = ""

    def sentence(self) -> str:
        """Say in one sentence what is wrong and what to do. Values of cells are never shown."""
        cells = f"{self.count:,} {'cell' if self.count == 1 else 'cells'}"
        if self.first_row is not None:
            cells += f" (the first in row {self.first_row:,})"
        subject = "the table" if self.column == WHOLE_TABLE else f"column {self.column!r}"
        return f"{subject} {_WAYS_OUT[self.rule].format(cells=cells, expected=self.expected)}."


def check_table(
    schema: Schema, table: pd.DataFrame, *, allow: Sequence[str] = ()
) -> list[Violation]:
    """Return everything in which a table departs from a schema; an empty list means it fits.

    Args:
        schema: the declaration.
        table: the data; columns under the schema's `ignore` may be there or not.
        allow: further columns that are tolerated, such as the one the rows are partitioned by.
    """
    violations = list(_check_columns(schema, table, allow))
    if len(table) == 0:
        return [*violations, Violation(column=WHOLE_TABLE, rule=Rule.EMPTY_TABLE, count=1)]
    for column in schema.columns:
        if list(table.columns).count(column.name) == 1:
            reading = read_column(column, table[column.name])
            violations.extend(_check_column(schema, column, reading))
    return violations


def broken_rules(column: Column, reading: Reading) -> Iterator[Violation]:
    """Yield one violation for every rule that cells of a column break."""
    for rule, flags in reading.broken.items():
        yield Violation(
            column=column.name,
            rule=rule,
            count=int(flags.sum()),
            first_row=int(np.argmax(flags)) + 1,
            expected=_describe(column),
        )


def _check_columns(
    schema: Schema, table: pd.DataFrame, allow: Sequence[str]
) -> Iterator[Violation]:
    present = [str(name) for name in table.columns]
    person = schema.unit.person_column
    required = [*schema.names, *([person] if person else [])]
    for name in required:
        if name not in present:
            yield Violation(column=name, rule=Rule.MISSING_COLUMN, count=1)
    for name in dict.fromkeys(present):
        if name not in {*required, *schema.ignore, *allow}:
            yield Violation(column=name, rule=Rule.UNKNOWN_COLUMN, count=1)
        elif present.count(name) > 1:
            yield Violation(column=name, rule=Rule.DUPLICATE_COLUMN, count=present.count(name))
    if person is not None and present.count(person) == 1:
        blank = is_blank(table[person])
        if blank.any():
            yield Violation(
                column=person,
                rule=Rule.UNEXPECTED_MISSING,
                count=int(blank.sum()),
                first_row=int(np.argmax(blank)) + 1,
            )


def _check_column(schema: Schema, column: Column, reading: Reading) -> Iterator[Violation]:
    if reading.missing.all():
        yield Violation(column=column.name, rule=Rule.ALL_MISSING, count=len(reading.missing))
        return
    yield from broken_rules(column, reading)
    if column.name == schema.label and not reading.broken and len(set(reading.codes.tolist())) == 1:
        yield Violation(column=column.name, rule=Rule.ONE_CLASS, count=len(reading.codes))


def _describe(column: Column) -> str:
    if column.kind == "integer":
        steps = "" if column.resolution == 1 else f" in steps of {column.resolution}"
        return f"whole numbers {column.minimum} to {column.maximum}{steps}"
    if column.kind == "continuous":
        text = column.format_position
        return f"numbers {text(0)} to {text(column.grid.count - 1)} with a point, not a comma"
    if column.kind == "datetime":
        text = column.format_position
        last = text(column.grid.count - 1)
        return f"dates in ISO 8601 from {text(0)} to {last}, by the {column.resolution}"
    return f"one of {len(column.levels)} declared words"
