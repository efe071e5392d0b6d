"""``fedsynth audit``: check what a site has spent, from its ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedsynth.console import add_row, make_table, say, screen

if TYPE_CHECKING:
    from privacy import LedgerSummary

audit_app = typer.Typer(help="Check what was spent.", no_args_is_help=True, rich_markup_mode=None)


@audit_app.callback()
def _audit() -> None:
    """Check what was spent."""


@audit_app.command()
def ledger(
    file: Annotated[Path, typer.Argument(help="A site's ledger (SQLite).")],
) -> None:
    """Replay a ledger: its events, their epsilon, and what is left."""
    from privacy import replay_ledger
    from synthesis import InputError

    try:
        summary = replay_ledger(file)
    except (ValueError, OSError) as error:
        raise InputError(f"file: {error}", argument="file") from None
    _show_events(summary)
    prv = "" if summary.epsilon_prv is None else f", PRV {summary.epsilon_prv:.4f}"
    budget = summary.policy.budget
    say(
        screen,
        f"Spent: epsilon {summary.epsilon_pld:.4f} by PLD (RDP {summary.epsilon_rdp:.4f}{prv}), "
        f"{'within' if summary.is_within_budget else 'ABOVE'} the budget of {budget.epsilon:g} "
        f"at delta {budget.delta:g} (unit: {summary.header.unit.value}, add or remove one). "
        f"Left: {summary.remaining:.4f}.",
    )
    if not summary.is_within_budget:
        raise typer.Exit(1)


def _show_events(summary: LedgerSummary) -> None:
    from fedsynth.event_cells import event_cells

    header = summary.header
    table = make_table(
        f"Ledger of {header.site}, data set {header.dataset}",
        ["study", "on", "state"],
        ["noise", "rate", "steps", "epsilon\nif alone"],
    )
    for reservation in summary.reservations:
        for item in reservation.events:
            words = [reservation.study, item.event.purpose, reservation.state.value]
            add_row(table, [*words, *event_cells(item.event), f"{item.epsilon:.4f}"])
    screen.print(table)
