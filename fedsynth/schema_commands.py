"""``fedsynth schema``: propose a schema from local data, and hold data against a schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fedsynth.console import screen
from synthesis import InputError
from synthesis.schema import DRAFT_WARNING, check_table, draft_schema, dump_schema, load_schema
from synthesis.tables import read_table

schema_app = typer.Typer(
    help="Propose and check schemas.", no_args_is_help=True, rich_markup_mode=None
)


@schema_app.command()
def draft(
    data: Annotated[Path, typer.Argument(help="A local table: CSV or Parquet.")],
    out: Annotated[Path, typer.Option(help="Schema file to write.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    label: Annotated[str | None, typer.Option(help="Column with the classes.")] = None,
) -> None:
    """Propose a schema from local data; a person must approve it before it is shared."""
    if out.exists():
        raise InputError(
            f"out must not exist yet, and {out} does; name another file.", argument="out"
        )
    table = read_table(data)
    proposed = draft_schema(table, name=name or data.name.split(".")[0], label=label)
    out.write_text(dump_schema(proposed, is_draft=True), encoding="utf-8")
    screen.print(DRAFT_WARNING, highlight=False)
    screen.print(
        f"{len(proposed.columns)} columns, label {proposed.label!r}; left out: "
        f"{', '.join(proposed.ignore) or 'none'}. The draft is in {out}.",
        highlight=False,
        markup=False,
    )


@schema_app.command()
def check(
    schema: Annotated[Path, typer.Argument(help="Schema file (TOML).")],
    data: Annotated[Path, typer.Argument(help="A local table: CSV or Parquet.")],
) -> None:
    """List every way in which local data depart from a schema; counts stay on this screen."""
    declared, table = load_schema(schema), read_table(data)
    violations = check_table(declared, table)
    if not violations:
        screen.print(
            f"{len(table):,} rows fit the schema {declared.name!r}.", highlight=False, markup=False
        )
        return
    listing = Table(title="For this screen only: counts of private rows", title_justify="left")
    for heading in ("column", "rule", "count", "what to do"):
        listing.add_column(heading, justify="right" if heading == "count" else "left")
    for violation in violations:
        listing.add_row(
            violation.column, violation.rule.value, f"{violation.count:,}", violation.sentence()
        )
    screen.print(listing)
    raise typer.Exit(1)
