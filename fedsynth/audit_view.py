"""Audits as short tables that a data protection officer can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console

from fedsynth.console import add_row, make_table, say
from server.attestation.canaries import CONFIDENCE

if TYPE_CHECKING:  # what runs them takes torch; a reader of a release needs none of it
    from fedsynth.study_audit import StudyAudit
    from privacy.audits import Bounds
    from simulations.audits import Rehearsal, StepAudit


def show_step_audit(console: Console, audit: StepAudit) -> None:
    """Print what one record or person did to every mechanism, and what that means."""
    table = make_table(
        f"One record or person more, noise off (schema {audit.schema})",
        ["mechanism", "unit"],
        ["sensitivity", "trials", "worst change\n/ sensitivity"],
    )
    for each in audit.measured:
        cells = [f"{each.claimed:.4g}", f"{each.trials:,}", f"{each.worst_ratio:.6f}"]
        add_row(table, [each.name, each.unit, *cells])
    console.print(table)
    say(console, audit.sentence())


def show_rehearsal(console: Console, audit: Rehearsal) -> None:
    """Print claims beside what the rehearsal shows, and what that means."""
    table = make_table(
        f"Rehearsal of study {audit.study}: epsilon at delta {audit.delta:g}, claimed and shown",
        ["released"],
        ["claim", "at least\n(one-run)", "at least\n(f-DP)", "control: a quarter\nof the noise"],
    )
    table.add_column("verdict")
    for claim in audit.claims:
        add_row(
            table,
            [
                claim.name,
                f"{claim.epsilon:.3f}",
                f"{claim.found.one_run:.2f}",
                f"{claim.found.f_dp:.2f}",
                _show_control(claim.control),
                claim.verdict(),
            ],
        )
    console.print(table)
    guesses = audit.claims[0].found.guesses
    say(
        console,
        f"{audit.canaries:,} made-up {audit.unit}s, each in or out by a fair coin, beside "
        f"{audit.rows:,} {audit.source}; {guesses.made} guesses, fixed beforehand; all bounds "
        f"together hold with {audit.confidence:.0%} confidence. No site's rows were read and "
        "nothing was spent.",
    )
    say(console, audit.sentence())


def show_study_audit(console: Console, audit: StudyAudit) -> None:
    """Print claims beside what canaries show in a real study, and what that means."""
    if audit.sites:
        table = make_table(
            f"Canaries of study {audit.study}, sketches: epsilon at delta {audit.delta:g}",
            ["site"],
            ["canaries", "claim", "at least\n(one-run)", "at least\n(f-DP)", "ceiling"],
        )
        table.add_column("verdict")
        for site in audit.sites:
            add_row(table, _study_cells(site))
        console.print(table)
        say(
            console,
            "Made-up records or persons, each in or out by a fair coin of the site's, committed to "
            "before its sketch and opened after the last round. The ceiling is the one-run bound "
            f"if every guess had been right; each bound holds with {CONFIDENCE:.0%} confidence.",
        )
    say(console, audit.sentence())


def _study_cells(site: dict[str, Any]) -> list[str]:
    numbers = [str(site["canaries"]), f"{site['claim']:.3f}"]
    if site["right"] is None:
        return [site["site"], *numbers, "", "", f"{site['ceiling']:.2f}", "not opened"]
    bounds = [f"{site[name]:.2f}" for name in ("one_run", "f_dp", "ceiling")]
    return [site["site"], *numbers, *bounds, "REFUTED" if site["refutes"] else "not refuted"]


def show_json(console: Console, content: dict[str, Any]) -> None:
    """Print an audit for programs."""
    console.print(json.dumps(content, indent=2), markup=False, highlight=False, soft_wrap=True)


def _show_control(control: Bounds) -> str:
    noticed = "noticed" if control.refutes else "missed"
    return f"{control.one_run:.2f} / {control.f_dp:.2f} {noticed}"
