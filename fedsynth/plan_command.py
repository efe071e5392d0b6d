"""What a study would cost each site, as a table, before anything runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from privacy import GaussianEvent, compute_epsilon
from server.study import load_study


def show_plan(console: Console, path: Path) -> None:
    """Print the plan that every site would compute from this study.

    Raises:
        InputError: if the study file cannot be used.
    """
    study = load_study(path)
    plan = study.make_plan()
    table = Table(title=f"Study {study.name}: what each site would spend", title_justify="left")
    for heading in ("on", "mechanism", "noise", "rate", "steps", "epsilon if alone"):
        table.add_column(heading, justify="left" if heading in ("on", "mechanism") else "right")
    for event in plan.events():
        alone = compute_epsilon([event], study.delta)
        if isinstance(event, GaussianEvent):
            cells = ("Gaussian", f"{event.noise_multiplier:.3f}", "", "1")
        else:
            cells = (
                "Poisson-sampled Gaussian",
                f"{event.noise_multiplier:.3f}",
                f"{event.sample_rate:g}",
                str(event.steps),
            )
        table.add_row(event.purpose, *cells, f"{alone:.4f}")
    console.print(table)
    total, rdp = plan.epsilon, compute_epsilon(plan.events(), study.delta, "rdp")
    console.print(
        f"All together: epsilon {total:.4f} of {study.epsilon:g} at delta {study.delta:g} "
        f"(PLD; RDP says {rdp:.4f}), one record added or removed. "
        "Epsilons of single events do not add up. Nothing has run and nothing was spent.",
        highlight=False,
    )
