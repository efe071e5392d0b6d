"""A site's own table, held against its schema; what is counted stays on the site's screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from client.data_source import SqlSource, read_parts
from client.reading import read_any_units
from client.site_config import find_positions
from fedsynth.console import say, screen
from synthesis.cells import to_records
from synthesis.encoding import needed_columns, read_units
from synthesis.images.reading import check_images
from synthesis.images.schema import ImageSchema
from synthesis.images.violations import ImageViolation
from synthesis.kinds import AnySchema
from synthesis.record_sources import CHUNK
from synthesis.schema import Rule, Violation, check_table

_MAX_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class DataReading:
    """What a site's table holds. For the site's screen only: counts are private.

    Attributes:
        rows: all rows.
        units: records or persons that would take part.
        unit: whom the schema protects.
        violations: what departs from the schema; such rows do not take part.
        noun: what is counted: row or image.
    """

    rows: int
    units: int
    unit: str
    violations: tuple[Violation | ImageViolation, ...]
    noun: str = "row"

    @property
    def noun_plural(self) -> str:
        """What is counted, in the plural."""
        return f"{self.noun}s"

    @property
    def unit_plural(self) -> str:
        """The unit in the plural."""
        return f"{self.unit}s"


def read_data(
    schema: AnySchema, data: str | SqlSource, folder: Path, missing: Sequence[str] = ()
) -> DataReading:
    """Read a table as the site will read it in a study.

    Args:
        schema: the public schema.
        data: where the table lives.
        folder: what relative paths start from.
        missing: names of columns that the site does not have.

    Raises:
        InputError: if it is absent or unreadable, or lacks a column.
        SourceUnavailable: if it is out of reach for now.
    """
    positions = find_positions(schema, missing)
    if isinstance(schema, ImageSchema):
        return _read_images(schema, data, folder)
    parts = read_parts(data, folder, needed_columns(schema, positions))
    tables = [table for part in parts for table in to_records(part, CHUNK)]
    records = pd.concat(tables, ignore_index=True)
    units = read_units(schema, records, positions).n_units
    return DataReading(
        rows=len(records),
        units=units,
        unit=schema.unit.kind,
        violations=tuple(
            violation
            for violation in check_table(schema, records)
            if violation.rule is not Rule.UNKNOWN_COLUMN  # it is not read
            and violation.column not in missing
        ),
    )


def _read_images(schema: ImageSchema, data: str | SqlSource, folder: Path) -> DataReading:
    units = read_any_units(data, folder, schema).n_units
    violations = () if isinstance(data, SqlSource) else check_images(folder / data, schema)
    return DataReading(
        rows=units + sum(violation.count for violation in violations),
        units=units,
        unit=schema.unit.kind,
        violations=tuple(violations),
        noun="image",
    )


def show_data(reading: DataReading) -> None:
    """Say how the table fits, and that nobody else will learn it."""
    if not reading.violations:
        say(
            screen,
            f"Data readable, schema matches. All {reading.rows:,} {reading.noun_plural} fit the "
            f"schema: {reading.units:,} {reading.unit_plural}.",
        )
        return
    say(
        screen,
        f"Data readable. {reading.units:,} {reading.unit_plural} from {reading.rows:,} "
        f"{reading.noun_plural} would take part. {reading.noun_plural.capitalize()} that do not "
        "fit the schema are left out, and only this screen says so:",
    )
    for violation in reading.violations[:_MAX_SHOWN]:
        say(screen, f"- {violation.sentence()}")
    if len(reading.violations) > _MAX_SHOWN:
        more = len(reading.violations) - _MAX_SHOWN
        say(screen, f"- and {more} more, which 'fedsynth schema check' lists.")
