"""``fedsynth schema``: propose a schema from local data, and hold data against a schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.console import add_row, make_table, say, screen

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
    data: Annotated[Path, typer.Argument(help="A local table: CSV or Parquet.")],
) -> None:
    """List every way in which local data depart from a schema; counts stay on this screen."""
    from synthesis import InputError
    from synthesis.kinds import load_any_schema
    from synthesis.schema import Schema, check_table
    from synthesis.tables import read_table

    declared = load_any_schema(schema)
    if not isinstance(declared, Schema):
        raise InputError(
            f"schema must describe a table, and {schema} describes images; 'fedsynth site check' "
            "holds the images of a site against it.",
            argument="schema",
        )
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
