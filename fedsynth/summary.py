"""The end of a simulation on the screen: what was spent, how good it is, where it lies."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.report import Report

TITLES = {
    "real": "real rows",
    "floor": "real against real",
    "sketch": "sketch alone",
    "final": "after the adversarial rounds",
}


def show_summary(console: Console, report: Report, folder: Path) -> None:
    """Print spending, figures and the place of the page."""
    totals = [site.total.pld for site in report.sites if site.total is not None]
    if totals:
        console.print(
            f"Each of {len(totals)} sites spent at most epsilon {max(totals):.4f} of "
            f"{report.promise.epsilon:g} at delta {report.promise.delta:g}.",
            highlight=False,
        )
    if report.utility is not None:
        table = Table(title=report.utility.mark, title_justify="left")
        table.add_column("figures on real rows")
        for heading in ("boosting AUC", "logistic AUC", "two-way distance", "two-sample AUC"):
            table.add_column(heading, justify="right")
        for row in report.utility.rows:
            figures = (row.boosting_auc, row.logistic_auc, row.two_way, row.two_sample_auc)
            shown = ["" if figure is None else f"{figure:.3f}" for figure in figures]
            table.add_row(TITLES.get(row.kind, row.kind), *shown)
        console.print(table)
    console.print(f"The release is in {folder}; open {folder / 'report.html'}", highlight=False)
