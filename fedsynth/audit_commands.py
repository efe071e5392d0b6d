"""``fedsynth audit``: check what a site has spent, from its ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from fedsynth.console import screen
from privacy import SampledGaussianEvent, replay_ledger
from synthesis import InputError

audit_app = typer.Typer(help="Check what was spent.", no_args_is_help=True, rich_markup_mode=None)


@audit_app.callback()
def _audit() -> None:
    """Check what was spent."""


@audit_app.command()
def ledger(
    file: Annotated[Path, typer.Argument(help="A site's ledger (SQLite).")],
) -> None:
    """Replay a ledger: its events, their epsilon, and what is left."""
    try:
        summary = replay_ledger(file)
    except (ValueError, OSError) as error:
        raise InputError(f"file: {error}", argument="file") from None
    header = summary.header
    table = Table(title=f"Ledger of {header.site}, data set {header.dataset}", title_justify="left")
    for heading in ("study", "on", "state"):
        table.add_column(heading)
    for heading in ("noise", "rate", "steps", "epsilon if alone"):
        table.add_column(heading, justify="right")
    for reservation in summary.reservations:
        for item in reservation.events:
            event = item.event
            sampled = event if isinstance(event, SampledGaussianEvent) else None
            table.add_row(
                reservation.study,
                event.purpose,
                reservation.state.value,
                f"{event.noise_multiplier:.3f}",
                f"{sampled.sample_rate:g}" if sampled else "",
                str(sampled.steps) if sampled else "1",
                f"{item.epsilon:.4f}",
            )
    screen.print(table)
    prv = "" if summary.epsilon_prv is None else f", PRV {summary.epsilon_prv:.4f}"
    verdict = "within" if summary.is_within_budget else "ABOVE"
    screen.print(
        f"Spent: epsilon {summary.epsilon_pld:.4f} by PLD (RDP {summary.epsilon_rdp:.4f}{prv}), "
        f"{verdict} the budget of {header.budget.epsilon:g} at delta {header.budget.delta:g} "
        f"(unit: {header.unit.value}, add or remove one). Left: {summary.remaining:.4f}.",
        highlight=False,
    )
    if not summary.is_within_budget:
        raise typer.Exit(1)
