"""What a study would cost each site, as a table, before anything runs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from fedsynth.console import say
from fedsynth.event_cells import make_event_table
from privacy import compute_epsilon
from server.study import parse_study
from simulations.settings import plan_of, read_settings


def show_plan(console: Console, path: Path) -> None:
    """Print the plan that every site would compute from this study.

    Raises:
        InputError: if the study file cannot be used, also where it is about a simulation.
    """
    content, _ = read_settings(path, study={}, simulation={})
    study = parse_study(content, source=path.name)
    plan = plan_of(study)
    title = f"Study {study.name}: what each site would spend"
    console.print(make_event_table(title, plan.events(), study.delta))
    total, rdp = plan.epsilon, compute_epsilon(plan.events(), study.delta, "rdp")
    say(
        console,
        f"All together: epsilon {total:.4f} of {study.epsilon:g} at delta {study.delta:g} "
        f"(PLD; RDP says {rdp:.4f}), one record, or person, added or removed. "
        "Epsilons of single events do not add up. Nothing has run and nothing was spent.",
    )
