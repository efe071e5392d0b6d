"""Target marginals as TOML files: public shares that rows are to have."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from synthesis.errors import InputError
from synthesis.mixing.margins import Margin, read_margin
from synthesis.rule_words import say_finding
from synthesis.schema import Schema


class MarginEntry(BaseModel):
    """One entry `[[margins]]`: the shares of a column, or of two.

    Attributes:
        column: the column, or
        columns: two of them.
        shares: for each level or range its share; with two columns, a table of such for each of
            the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    column: str | None = None
    columns: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] | None = None
    shares: Annotated[dict[str, Any], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if (self.column is None) == (self.columns is None):
            raise ValueError("a margin needs either column or columns; name one or two")
        if self.columns is not None and self.columns[0] == self.columns[1]:
            raise ValueError(f"columns must be two, got {self.columns[0]!r} twice")
        return self

    def read(self, schema: Schema) -> Margin:
        """Return the margin in terms of a schema.

        Raises:
            InputError: if the schema does not know what it names.
        """
        names = self.columns or (str(self.column),)
        return read_margin(schema, names, self.shares)


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    margins: Annotated[tuple[MarginEntry, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """What a target file asks for.

    Attributes:
        entries: its margins.
    """

    entries: tuple[MarginEntry, ...]

    @classmethod
    def of(cls, source: str | Path | Mapping[str, Any]) -> Self:
        """Read a TOML file, or take what one would hold.

        Raises:
            InputError: if the file is absent or is no target; the sentence says where.
        """
        if isinstance(source, Mapping):
            return cls.parse(source, place="match")
        content = read_toml(Path(source), argument="match")
        return cls.parse(content, place=f"match file {source}")

    @classmethod
    def parse(cls, content: Mapping[str, Any], *, place: str) -> Self:
        """Check what a file holds; ``place`` is how sentences call it."""
        try:
            return cls(entries=_Content.model_validate(dict(content)).margins)
        except ValidationError as error:
            raise explain(error, place, argument="match") from None

    def read(self, schema: Schema) -> list[Margin]:
        """Return its margins in terms of a schema.

        Raises:
            InputError: if the schema does not know what one names, or two are of the same columns.
        """
        margins = [entry.read(schema) for entry in self.entries]
        seen: set[frozenset[int]] = set()
        for margin in margins:
            if frozenset(margin.columns) in seen:
                raise InputError(
                    f"match: there are two margins of {margin.name}; keep one of them.",
                    argument="match",
                )
            seen.add(frozenset(margin.columns))
        return margins

    def to_dict(self) -> dict[str, Any]:
        """Return what a file would hold."""
        entries = [entry.model_dump(mode="json", exclude_none=True) for entry in self.entries]
        return {"margins": entries}

    def digest(self) -> str:
        """Return a SHA-256 that is the same for files that ask for the same."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def read_toml(path: Path, *, argument: str) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: if it is absent, may not be read or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{argument} file {path} is not valid TOML: {error}; correct it there.",
            argument=argument,
        ) from None
    except OSError as error:
        raise InputError(
            f"{argument} file {path} cannot be read ({error.strerror}); check the path.",
            argument=argument,
        ) from None


def explain(error: ValidationError, place: str, *, argument: str) -> InputError:
    """Return the first problem of a file as a sentence."""
    found = say_finding(error.errors()[0])
    return InputError(f"{place} cannot be used: {found}.", argument=argument)
