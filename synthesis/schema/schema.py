"""The schema: what a table is agreed to look like before anyone reads a row of it."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthesis.schema.columns import Column, LevelColumn, Name

MAX_LABEL_LEVELS = 32
MAX_COLUMNS = 1000
MAX_WIDTH = 16_384
"""Codes of all columns together; memory and messages of a study grow with them."""


class UnitOfPrivacy(BaseModel):
    """Whom the promise protects: one row, or one person with all their rows.

    Attributes:
        kind: `record` or `person`.
        person_column: the column of the data that tells persons apart; never synthesised. A
            person's rows, however many, weigh as much as one row together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["record", "person"] = "record"
    person_column: Name | None = None

    @model_validator(mode="after")
    def _check_person(self) -> Self:
        if self.kind == "person" and self.person_column is None:
            raise ValueError("kind 'person' needs person_column, the column that tells them apart")
        if self.kind == "record" and self.person_column is not None:
            raise ValueError("kind 'record' takes no person_column; use kind = 'person'")
        return self


class Schema(BaseModel):
    """A public description of a table, agreed by people; nothing in it is fitted on data.

    Attributes:
        name: a short name for the table.
        columns: what is synthesised, in order.
        label: the column whose classes the sketch is conditioned on.
        unit: whom the promise protects.
        ignore: columns of the data that are known and never read (names, identifiers).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name
    columns: Annotated[tuple[Column, ...], Field(min_length=2)]
    label: Name
    unit: UnitOfPrivacy = UnitOfPrivacy()
    ignore: tuple[Name, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of every column, in order; their sum is the encoded width."""
        return tuple(column.size for column in self.columns)

    @property
    def label_index(self) -> int:
        """Position of the label among the columns."""
        return self.names.index(self.label)

    @property
    def label_levels(self) -> tuple[str, ...]:
        """The classes of the label, in the order of their codes."""
        column = self.columns[self.label_index]
        assert isinstance(column, LevelColumn)  # held by _check_label
        return column.levels

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            KeyError: when the schema has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"the schema has no column {name!r}; it has {', '.join(self.names)}")

    def digest(self) -> str:
        """Return a SHA-256 that is the same exactly when sites agree on what is synthesised.

        `ignore` is left out: which further columns a site's own table holds is its own matter.
        """
        content = self.model_dump(mode="json", exclude={"ignore"})
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = self.names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"column {name!r} is declared twice; remove one of them")
        for name in set(names) & {*self.ignore, self.unit.person_column}:
            raise ValueError(
                f"column {name!r} is declared under columns and also left out (under ignore or as "
                "person_column); keep one of the two"
            )
        return self

    @model_validator(mode="after")
    def _check_width(self) -> Self:
        if len(self.columns) > MAX_COLUMNS:
            raise ValueError(
                f"there may be at most {MAX_COLUMNS:,} columns, got {len(self.columns):,}; put "
                "those that matter least under ignore"
            )
        width = sum(self.sizes)
        if width > MAX_WIDTH:
            widest = max(self.columns, key=lambda column: column.size)
            raise ValueError(
                f"all columns together may have at most {MAX_WIDTH:,} codes, got {width:,}, of "
                f"which {widest.name!r} has {widest.size:,}; use fewer bins, group rare levels or "
                "put columns under ignore"
            )
        return self

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if self.label not in self.names:
            raise ValueError(f"label {self.label!r} is not among the columns; declare it there")
        column = self.column(self.label)
        if not isinstance(column, LevelColumn):
            raise ValueError(
                f"label {self.label!r} must be categorical, ordinal or boolean, it is {column.kind}"
            )
        if column.missing:
            raise ValueError(
                f"label {self.label!r} must not have missing values; drop such rows, or give them "
                "a category of their own"
            )
        if not 2 <= column.size <= MAX_LABEL_LEVELS:
            raise ValueError(
                f"label {self.label!r} must have 2 to {MAX_LABEL_LEVELS} levels, "
                f"it has {column.size}; group some of them"
            )
        return self
