"""The end of a study on the screen: what was spent, how good it is, where it lies."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from fedsynth.attack_view import NO_PROOF, describe
from fedsynth.console import add_row, make_table, say
from server.report import Evaluation, ImageFigures, Report, Utility
from server.report.answers import describe_audit

TITLES = {
    "real": "real training rows",
    "floor": "real test rows",
    "independent": "independent noisy columns",
    "sketch": "synthetic, sketch alone",
    "final": "synthetic, after the rounds",
}
HOLD_OUT = {
    "one_way": "one-way distance",
    "two_way": "two-way distance, coarse",
    "auc": "AUC of a network from synthetic rows",
}


def show_summary(console: Console, report: Report, folder: Path) -> None:
    """Print spending, figures and the place of the page."""
    totals = [site.total.pld for site in report.sites if site.total is not None]
    if totals:
        say(
            console,
            f"{'On this study each' if report.is_planned else 'Each'} of {len(totals)} sites "
            f"spent at most epsilon {max(totals):.4f} of "
            f"{report.promise.epsilon:g} at delta {report.promise.delta:g}, for one "
            f"{report.promise.unit.value} more or less.",
        )
    if report.utility is not None:
        _show_figures(console, report.utility)
    if report.images is not None and report.images.figures is not None:
        _show_image_figures(console, report.images.figures)
    if report.audit is not None:
        say(console, describe_audit(report.audit))
    if report.attacks is not None:
        say(console, f"{describe(report.attacks)} {NO_PROOF}")
    if report.evaluation is not None and report.evaluation.figures:
        _show_evaluation(console, report.evaluation)
    if report.sketch_noise is not None and report.sketch_noise.is_drowned:
        noise = report.sketch_noise.describe(report.promise.unit, report.is_of_images)
        say(console, f"Note: {noise}")
    seconds = sum(phase.seconds for phase in report.cost.phases)
    say(
        console,
        f"{report.release.rows:,} synthetic {'rows' if report.images is None else 'images'} in "
        f"{folder}, made in {seconds:.0f} s. "
        f"Open {folder / 'report.html'}",
    )
    say(console, f"It is signed; whoever gets it can check it: fedsynth verify {folder}")


def _show_figures(console: Console, utility: Utility) -> None:
    table = make_table(
        f"Figures ({utility.mark})",
        ["table"],
        ["boosting\nAUC", "logistic\nAUC", "two-way\ndistance", "two-sample\nAUC"],
    )
    for row in utility.rows:
        figures = (row.boosting_auc, row.logistic_auc, row.two_way, row.two_sample_auc)
        shown = ["-" if figure is None else f"{figure:.3f}" for figure in figures]
        add_row(table, [TITLES.get(row.kind, row.kind), *shown])
    add_row(table, ["best is", "1", "1", "0", "0.5"])
    console.print(table)


def _show_image_figures(console: Console, figures: ImageFigures) -> None:
    table = make_table(
        f"Figures ({figures.mark})", ["learned from"], ["told right", "95 %\ninterval", "FID"]
    )
    titles = TITLES | {"real": "real training images"}
    for row in figures.rows:
        interval = f"{100 * row.accuracy_low:.1f} to {100 * row.accuracy_high:.1f} %"
        shown = [f"{100 * row.accuracy:.1f} %", interval, f"{row.frechet:.2f}"]
        add_row(table, [titles[row.kind], *shown])
    console.print(table)


def _show_evaluation(console: Console, evaluation: Evaluation) -> None:
    has_exact = any(figure.exact is not None for figure in evaluation.figures)
    table = make_table(
        "Measured on hold-out units, under noise",
        ["figure"],
        ["estimate", "95 %\ninterval", *(["exact"] if has_exact else [])],
    )
    for figure in evaluation.figures:
        exact = [] if figure.exact is None else [f"{figure.exact:.3f}"]
        interval = f"{figure.low:.3f} to {figure.high:.3f}"
        if figure.is_vacuous:
            interval += "\nsays nothing"
        add_row(table, [HOLD_OUT[figure.kind], f"{figure.value:.3f}", interval, *exact])
    console.print(table)
