"""The kinds of column a schema can declare; each becomes one categorical code `0..size-1`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from synthesis.schema.grid import Grid, build_grid

MAX_BINS = 1024
MAX_LEVELS = 10_000

Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
Word = Annotated[str, Field(min_length=1, pattern=r"^(?s:.*\S.*)$")]
Bins = Annotated[int, Field(ge=1, le=MAX_BINS)]

_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")  # codes such as '007' are words


def to_number(text: str) -> float | None:
    """Return the number that a level or a cell plainly writes, or None."""
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else None


class LevelColumn(BaseModel):
    """What columns with listed levels share; `levels` are in the order of their codes."""

    model_config = _FROZEN
    name: Name
    missing: bool = False

    @property
    def levels(self) -> tuple[str, ...]:
        """The declared levels, in the order of their codes."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Number of codes, the one for a missing value included."""
        return len(self.levels) + self.missing

    @property
    def missing_code(self) -> int | None:
        """The code of a missing value, or None when the column declares none."""
        return len(self.levels) if self.missing else None

    @property
    def cell_labels(self) -> tuple[str, ...]:
        """One short text per code, for reports."""
        return (*self.levels, *(["missing"] if self.missing else []))

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if len(set(self.levels)) < len(self.levels):
            raise ValueError("no level may be listed twice; remove the repetition")
        numbers = [number for level in self.levels if (number := to_number(level)) is not None]
        if len(set(numbers)) < len(numbers):
            raise ValueError(
                "no two levels may be the same number, such as '1' and '1.0'; a table that holds "
                "numbers could not tell them apart, so keep one of them"
            )
        if self.size < 2:
            raise ValueError(
                "a column needs at least two different values; put its name under ignore instead"
            )
        if self.size > MAX_LEVELS:
            raise ValueError(
                f"a column may have at most {MAX_LEVELS:,} levels, got {self.size:,}; group rare "
                "ones"
            )
        return self


class Categorical(LevelColumn):
    """Text from a public list, without an order."""

    kind: Literal["categorical"] = "categorical"
    categories: tuple[Word, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """The declared categories."""
        return self.categories


class Ordinal(LevelColumn):
    """Text from a public list that is in order, lowest first."""

    kind: Literal["ordinal"] = "ordinal"
    categories: tuple[Word, ...]

    @property
    def levels(self) -> tuple[str, ...]:
        """The declared categories, lowest first."""
        return self.categories


class Boolean(LevelColumn):
    """Two words, one of which means yes; their codes are 0 for `false` and 1 for `true`."""

    kind: Literal["boolean"] = "boolean"
    true: Word = "true"
    false: Word = "false"

    @property
    def levels(self) -> tuple[str, ...]:
        """The word for no, then the word for yes."""
        return (self.false, self.true)


class NumberColumn(BaseModel):
    """What columns on a grid share; codes are point masses, then cells, then missing."""

    model_config = _FROZEN
    name: Name
    missing: bool = False
    bins: Bins | None = None

    @cached_property
    def grid(self) -> Grid:
        """The values the column may take and the cells they fall into."""
        raise NotImplementedError

    def format_position(self, position: int) -> str:
        """Write the value at a grid position as text."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Number of codes, the one for a missing value included."""
        return len(self.grid.masses) + self.grid.cells + self.missing

    @property
    def missing_code(self) -> int | None:
        """The code of a missing value, or None when the column declares none."""
        return self.size - 1 if self.missing else None

    @property
    def cell_labels(self) -> tuple[str, ...]:
        """One short text per code, for reports: a value, or `low to high`."""
        text = self.format_position
        low, high = (bound.tolist() for bound in self.grid.bounds)
        ends = zip(low, high, strict=True)
        cells = [text(a) if a == b else f"{text(a)} to {text(b)}" for a, b in ends]
        masses = [text(mass) for mass in self.grid.masses]
        return (*masses, *cells, *(["missing"] if self.missing else []))

    @model_validator(mode="after")
    def _check_grid(self) -> Self:
        if self.size < 2:
            raise ValueError(
                "a column with one code carries nothing; give more bins, or put its name under "
                "ignore instead"
            )
        return self


class Integer(NumberColumn):
    """Whole numbers between public bounds, `resolution` apart."""

    kind: Literal["integer"] = "integer"
    minimum: int
    maximum: int
    resolution: Annotated[int, Field(ge=1)] = 1
    transform: Literal["none", "log"] = "none"
    point_masses: tuple[int, ...] = ()

    @cached_property
    def grid(self) -> Grid:
        """The whole numbers the column may take and the cells they fall into."""
        if max(abs(self.minimum), abs(self.maximum)) > 2**53:
            raise ValueError("minimum and maximum must be between -2**53 and 2**53")
        if (self.maximum - self.minimum) % self.resolution:
            raise ValueError(
                f"maximum must be minimum plus a multiple of resolution ({self.resolution}); "
                "move one of the bounds"
            )
        offsets = [divmod(mass - self.minimum, self.resolution) for mass in self.point_masses]
        return build_grid(
            origin=self.minimum,
            step=self.resolution,
            count=(self.maximum - self.minimum) // self.resolution + 1,
            masses=tuple(-1 if rest else position for position, rest in offsets),
            bins=self.bins,
            log=self.transform == "log",
        )

    def format_position(self, position: int) -> str:
        """Write the value at a grid position as a whole number."""
        return str(self.grid.origin + self.grid.step * position)


class Continuous(NumberColumn):
    """Numbers between public bounds, read and written at `decimals` digits after the point."""

    kind: Literal["continuous"] = "continuous"
    minimum: float
    maximum: float
    decimals: Annotated[int, Field(ge=0, le=9)]
    transform: Literal["none", "log"] = "none"
    point_masses: tuple[float, ...] = ()

    @cached_property
    def grid(self) -> Grid:
        """The decimal numbers the column may take and the cells they fall into."""
        scale = 10**self.decimals
        low, high = (self._units(x, scale) for x in (self.minimum, self.maximum))
        return build_grid(
            origin=low,
            step=1,
            count=high - low + 1,
            scale=scale,
            masses=tuple(self._units(mass, scale) - low for mass in self.point_masses),
            bins=self.bins,
            log=self.transform == "log",
        )

    def _units(self, value: float, scale: int) -> int:
        units = round(value * scale)
        if abs(units) > 2**53:
            raise ValueError(f"{value:g} has too many digits at {self.decimals} decimals; use less")
        if units / scale != value:
            raise ValueError(
                f"bounds and point masses must have at most {self.decimals} decimals, got {value}; "
                "round it or raise decimals"
            )
        return units

    def format_position(self, position: int) -> str:
        """Write the value at a grid position with the declared number of decimals."""
        return f"{(self.grid.origin + position) / self.grid.scale:.{self.decimals}f}"


Resolution = Literal["day", "hour", "minute", "second"]
SECONDS: dict[Resolution, int] = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_EPOCH = datetime(1970, 1, 1)


class Datetime(NumberColumn):
    """Points in time between public bounds, without a zone (a zone in the data is read as UTC)."""

    kind: Literal["datetime"] = "datetime"
    minimum: datetime
    maximum: datetime
    resolution: Resolution = "day"

    @field_validator("minimum", "maximum")
    @classmethod
    def _check_zone(cls, value: datetime) -> datetime:
        if value.tzinfo is not None:
            raise ValueError("bounds are written without a time zone; convert them to UTC")
        return value

    @cached_property
    def grid(self) -> Grid:
        """The points in time the column may take and the cells they fall into."""
        step = SECONDS[self.resolution]
        bounds = [(x - _EPOCH).total_seconds() for x in (self.minimum, self.maximum)]
        if any(bound % step for bound in bounds):
            raise ValueError(
                f"minimum and maximum must fall on a whole {self.resolution}; "
                "round them or use a finer resolution"
            )
        low, high = (int(bound) for bound in bounds)
        return build_grid(origin=low, step=step, count=(high - low) // step + 1, bins=self.bins)

    def format_position(self, position: int) -> str:
        """Write the point in time at a grid position in ISO 8601."""
        moment = _EPOCH + timedelta(seconds=self.grid.origin + self.grid.step * position)
        return moment.date().isoformat() if self.resolution == "day" else moment.isoformat()


Column = Annotated[
    Categorical | Ordinal | Boolean | Integer | Continuous | Datetime, Field(discriminator="kind")
]
