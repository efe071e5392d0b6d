"""The content of ``site.toml``: what a site has decided, before any record is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from client.data_source import Data, SqlSource, check_path
from privacy import Policy
from privacy.canaries import check_number
from privacy.checks import check_one_line
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.rule_words import say_finding
from synthesis.schema import Schema

SITE_FILE = "site.toml"


class SiteConfig(BaseModel):
    """The content of ``site.toml``; paths are relative to the site's folder.

    Attributes:
        name: how the site calls itself in its own ledger.
        data: table of records: a CSV or Parquet file, a folder of them, or a query to a database.
        schema_file: the public schema the site has approved (``schema`` in the file).
        ledger: the ledger of this data set.
        policy: what the site allows on this data set.
        canaries: made-up units planted in every study, by which others may audit it; 0 for none.
        missing_columns: columns of the schema that this site does not have. Public: the coordinator
            and the report name them. Whatever the table holds under these names is not read.
        simulation_seed: makes noise repeatable, for simulations only; a deployed site has none.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, hide_input_in_errors=True
    )
    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: Data
    schema_file: Annotated[str, Field(alias="schema")]
    ledger: str = "ledger.sqlite"
    canaries: Annotated[int, AfterValidator(check_number)] = 0
    missing_columns: tuple[str, ...] = ()
    simulation_seed: Annotated[int | None, Field(ge=0)] = None
    policy: Policy

    @field_validator("name")
    @classmethod
    def _check_one_line(cls, text: str) -> str:
        return check_one_line(text, name="it")  # as it must stand in the ledger

    @field_validator("data")
    @classmethod
    def _check_data(cls, data: str | SqlSource) -> str | SqlSource:
        return check_path(data) if isinstance(data, str) else data


def parse_config(content: Mapping[str, object]) -> SiteConfig:
    """Return the configuration with this content.

    Raises:
        InputError: naming the first setting that is not as it must be.
    """
    try:
        return SiteConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        location = tuple(part for part in first["loc"] if part not in ("file", "sql"))
        found = say_finding({**first, "loc": location})
        argument = ".".join(map(str, location))
        raise InputError(f"{SITE_FILE}: {found}.", argument=argument) from None


def name_positions(positions: Sequence[int]) -> str:
    """Return positions of columns as they travel and stand in the ledger, such as ``3,11``."""
    return ",".join(map(str, positions))


def find_positions(schema: AnySchema, missing: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of columns that a site lacks, in the schema's order.

    Raises:
        InputError: if a name is not of the schema or is the label's, or nothing is left to count.
    """
    if isinstance(schema, ImageSchema):
        if missing:
            raise InputError(
                "missing_columns must be left out at a site with images, which have no columns.",
                argument="missing_columns",
            )
        return ()
    unknown = [name for name in missing if name not in schema.names]
    if unknown:
        raise InputError(
            f"missing_columns must be columns of the schema, got {unknown[0]!r}; correct its "
            "spelling or leave it out.",
            argument="missing_columns",
        )
    positions = tuple(n for n, name in enumerate(schema.names) if name in missing)
    if schema.label_index in positions:
        raise InputError(
            f"missing_columns must not name the label {schema.names[schema.label_index]!r}, by "
            "which all is counted; a site without it cannot take part.",
            argument="missing_columns",
        )
    if positions and not _tells_something(schema, positions):
        raise InputError(
            "missing_columns must leave columns that a study counts together; a site without any "
            "cannot take part.",
            argument="missing_columns",
        )
    return positions


def _tells_something(schema: Schema, missing: Sequence[int]) -> bool:
    from synthesis.layout import SketchLayout  # most sites have all columns

    return SketchLayout.from_schema(schema).lacking(missing).sensitivity > 0
