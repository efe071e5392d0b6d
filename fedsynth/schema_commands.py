"""``fedsynth schema``: propose a schema from local data, and hold data against a schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedsynth.console import add_row, make_table, say, screen

if TYPE_CHECKING:
    from synthesis.images.schema import ImageSchema

schema_app = typer.Typer(
    help="Propose and check schemas.", no_args_is_help=True, rich_markup_mode=None
)


@schema_app.command()
def draft(
    data: Annotated[Path, typer.Argument(help="A local table: CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="Schema file to write (.toml).")],
    name: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the classes.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Column that tells persons apart, if they have several rows.")
    ] = None,
) -> None:
    """Propose a schema from local data; a person must approve it before it is shared."""
    from fedsynth.new_file import check_new_file
    from synthesis.schema import DRAFT_WARNING, draft_schema, dump_schema
    from synthesis.tables import read_table

    check_new_file(out, endings=[".toml"])
    table = read_table(data)
    proposed = draft_schema(table, name=name or data.name.split(".")[0], label=label, person=person)
    out.write_text(dump_schema(proposed, is_draft=True), encoding="utf-8")
    say(screen, DRAFT_WARNING)
    say(
        screen,
        f"{len(proposed.columns)} columns, label {proposed.label!r}, protects each "
        f"{proposed.unit.kind}; left out: "
        f"{', '.join(proposed.ignore) or 'none'}. The draft is in {out}.",
    )


@schema_app.command()
def check(
    schema: Annotated[Path, typer.Argument(help="Schema file (TOML).")],
    data: Annotated[
        Path, typer.Argument(help="A local table (CSV or Parquet), or images (PNG, NPZ, IDX).")
    ],
) -> None:
    """List every way in which local data depart from a schema; counts stay on this screen."""
    from synthesis.kinds import load_any_schema
    from synthesis.schema import Schema, check_table
    from synthesis.tables import read_table

    declared = load_any_schema(schema)
    if not isinstance(declared, Schema):
        _check_images(declared, data)
        return
    table = read_table(data)
    violations = check_table(declared, table)
    if not violations:
        say(screen, f"{len(table):,} rows fit the schema {declared.name!r}.")
        return
    listing = make_table(
        "For this screen only: counts of private rows", ["column", "rule"], ["count"]
    )
    for violation in violations:
        add_row(listing, [violation.column, violation.rule.value, f"{violation.count:,}"])
    screen.print(listing)
    for violation in violations:
        say(screen, f"- {violation.sentence()}")
    raise typer.Exit(1)


def _check_images(declared: ImageSchema, data: Path) -> None:
    from fedsynth.site.data import read_data

    reading = read_data(declared, str(data), Path())
    if not reading.violations:
        say(screen, f"{reading.rows:,} images fit the schema {declared.name!r}.")
        return
    listing = make_table("For this screen only", ["rule"], ["count"])
    for violation in reading.violations:
        add_row(listing, [violation.rule.value, f"{violation.count:,}"])
    screen.print(listing)
    for violation in reading.violations:
        say(screen, f"- {violation.sentence()}")
    raise typer.Exit(1)
