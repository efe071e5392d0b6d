"""``fedsynth site ledger``: what was spent, whether the ledger is whole, and both for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.console import say, screen

SiteFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The site's folder. (default: .)")
]
LedgerFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A ledger outside a site's folder, to read.")
]
Key = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="The site's public key as you know it: digits or file."),
]
Receipts = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE-OR-TEXT", help="A receipt that you hold; may be repeated."),
]

ledger_app = typer.Typer(
    help="Show, verify, export and picture a ledger.", no_args_is_help=True, rich_markup_mode=None
)


@ledger_app.command()
def show(site: SiteFolder = None, ledger: LedgerFile = None) -> None:
    """Show what a ledger says: studies, mechanisms, policy, and what is left."""
    from fedsynth.site.ledger_view import show_ledger
    from fedsynth.site.reading import choose_ledger, read_ledger

    if not show_ledger(read_ledger(choose_ledger(site, ledger))):
        raise typer.Exit(1)


@ledger_app.command()
def verify(
    site: SiteFolder = None,
    ledger: LedgerFile = None,
    key: Key = None,
    receipt: Receipts = None,
) -> None:
    """Say in one sentence whether a ledger can be trusted; exit code 1 if not."""
    from fedsynth.site.reading import choose_ledger, judge_ledger, with_proof

    is_whole, verdict = judge_ledger(with_proof(choose_ledger(site, ledger), key, receipt or ()))
    say(screen, verdict)
    if not is_whole:
        raise typer.Exit(1)


@ledger_app.command()
def export(
    site: SiteFolder = None,
    ledger: LedgerFile = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="New file. (default: the screen)")
    ] = None,
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Only the receipt, one line of text.")
    ] = False,
) -> None:
    """Write a ledger as JSON, with what it adds up to and a signed receipt."""
    from fedsynth.new_file import check_new_file
    from fedsynth.site.export import make_export, make_receipt
    from fedsynth.site.reading import choose_ledger

    if out is not None:
        check_new_file(out, endings=[".txt", ".receipt"] if receipt else [".json"])
    source = choose_ledger(site, ledger)
    text = make_receipt(source) if receipt else make_export(source)
    if out is None:
        screen.out(text, highlight=False)
        return
    out.write_text(text + "\n", encoding="utf-8")
    say(screen, f"Written to {out}.")


@ledger_app.command()
def gauge(
    site: SiteFolder = None,
    ledger: LedgerFile = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="New picture: .svg or .png.")
    ] = None,
) -> None:
    """Show the budget over time, as text and as a picture."""
    from fedsynth.new_file import check_new_file
    from fedsynth.site.gauge import measure, show_gauge
    from fedsynth.site.gauge_picture import draw_gauge
    from fedsynth.site.reading import choose_ledger, read_ledger

    if out is not None:
        check_new_file(out, endings=[".svg", ".png"])
    readings = measure(read_ledger(choose_ledger(site, ledger)).book)
    show_gauge(readings)
    if out is not None:
        draw_gauge(readings, out)
        say(screen, f"The picture is in {out}.")
