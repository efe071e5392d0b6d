"""A schedule: periods one after the other, each with rows and wishes of its own."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synthesis.encoding import Placed
from synthesis.errors import InputError
from synthesis.mixing.mixing import Mixing
from synthesis.mixing.target_file import MarginEntry, Target, explain, read_toml
from synthesis.schema import Categorical, Schema
from synthesis.schema.columns import Name, Word
from synthesis.sharded_sample import Shards


class Period(BaseModel):
    """One entry `[[periods]]`.

    Attributes:
        name: what the period column says.
        rows: rows of the period.
        where: conditions that they meet.
        mix: shares of the sites.
        match: a target file, seen from the schedule's folder; or
        margins: what such a file would hold.
        balance: a column with equal shares.
        parity: two columns that are independent.
        interpolate: a method.
        strength: how far it goes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Word
    rows: Annotated[int, Field(ge=1)]
    where: tuple[str, ...] = ()
    mix: dict[str, float] | None = None
    match: str | None = None
    margins: tuple[MarginEntry, ...] = ()
    balance: str | None = None
    parity: str | None = None
    interpolate: str | None = None
    strength: float | None = None

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.match is not None and self.margins:
            raise ValueError("match and margins say the same in two ways; keep one of them")
        return self

    def to_mixing(self, folder: Path) -> Mixing:
        """Return the wishes; a target file is read.

        Raises:
            InputError: if they cannot be understood or do not go together.
        """
        target = None
        if self.match is not None:
            target = Target.of(folder / self.match).to_dict()
        elif self.margins:
            target = Target(entries=self.margins).to_dict()
        return Mixing(
            mix=self.mix,
            match=target,
            balance=self.balance,
            parity=self.parity,
            interpolate=self.interpolate,
            strength=self.strength,
        )


class Schedule(BaseModel):
    """What a schedule file holds.

    Attributes:
        periods: in order; their names differ.
        period_column: a column for the name of each row's period, behind those of the schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    periods: Annotated[tuple[Period, ...], Field(min_length=1)]
    period_column: Name | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [period.name for period in self.periods]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two periods have the name {name!r}; rename one of them")
        return self

    def add_column(self, schema: Schema) -> Schema:
        """Return the schema of the rows: with the period column, if one is asked for.

        Raises:
            InputError: if the schema has a column of that name.
        """
        if self.period_column is None:
            return schema
        if self.period_column in schema.names:
            raise InputError(
                f"schedule: period_column {self.period_column!r} is a column of the schema; choose "
                "another name.",
                argument="schedule",
            )
        # Built without the rule that a column needs two levels: it is no column of a study.
        column = Categorical.model_construct(
            name=self.period_column, categories=tuple(period.name for period in self.periods)
        )
        return schema.model_copy(update={"columns": (*schema.columns, column)})


def read_schedule(path: Path) -> Schedule:
    """Read a schedule.

    Raises:
        InputError: if the file is absent or is no schedule; the sentence says where.
    """
    content: dict[str, Any] = read_toml(path, argument="schedule")
    try:
        return Schedule.model_validate(content)
    except ValidationError as error:
        raise explain(error, f"schedule file {path}", argument="schedule") from None


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduledSample(Shards):
    """The rows of all periods, in order; every period begins a shard.

    Attributes:
        parts: the rows of each period, under the schema without a period column.
    """

    parts: tuple[Shards, ...]

    @property
    def num_shards(self) -> int:
        """How many shards all periods have."""
        return sum(part.num_shards for part in self.parts)

    def rows_until(self, index: int) -> int:
        """Return the rows of all shards before this one."""
        period, shard = self._find(index)
        return sum(part.num_rows for part in self.parts[:period]) + (
            self.parts[period].rows_until(shard) if period < len(self.parts) else 0
        )

    def draw_shard(self, index: int) -> list[Placed]:
        """Draw a shard of one period."""
        period, shard = self._find(index)
        part = self.parts[period]
        placed = part.draw_shard(shard)
        if len(self.schema.columns) > len(part.schema.columns):
            rows = len(placed[0].places)
            placed.append(
                Placed(places=np.full(rows, period), missing=np.zeros(rows, dtype=np.bool_))
            )
        return placed

    def _find(self, index: int) -> tuple[int, int]:
        """Return which period a shard belongs to, and its number there."""
        ends = list(accumulate(part.num_shards for part in self.parts))
        period = bisect_right(ends, index)
        return period, index - (ends[period - 1] if period else 0)
