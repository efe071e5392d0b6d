"""``fedsynth audit``: check what a site has spent, from its ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.console import say, screen
from fedsynth.site.ledger_commands import Key, Receipts

audit_app = typer.Typer(help="Check what was spent.", no_args_is_help=True, rich_markup_mode=None)


@audit_app.callback()
def _audit() -> None:
    """Check what was spent."""


@audit_app.command()
def ledger(
    file: Annotated[Path, typer.Argument(help="A site's ledger (SQLite).")],
    key: Key = None,
    receipt: Receipts = None,
) -> None:
    """Verify and replay a ledger: its events, their epsilon, and what is left."""
    from fedsynth.site.ledger_view import show_ledger
    from fedsynth.site.reading import LedgerSource, describe_proof, read_ledger, with_proof

    source = with_proof(LedgerSource(path=file, argument="file"), key, receipt or ())
    reading = read_ledger(source)
    is_within = show_ledger(reading)
    say(screen, f"The ledger is whole: {describe_proof(reading, source)}")
    if not is_within:
        raise typer.Exit(1)
