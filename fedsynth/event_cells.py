"""Mechanisms of a plan or a ledger as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from fedsynth.console import add_row, make_table
from privacy import Event, SampledGaussianEvent, compute_epsilon


def event_cells(event: Event) -> tuple[str, str, str]:
    """Return noise multiplier, sample rate and steps; one release of all rows has no rate."""
    noise = f"{event.noise_multiplier:.3f}"
    if isinstance(event, SampledGaussianEvent):
        return noise, f"{event.sample_rate:g}", str(event.steps)
    return noise, "", "1"


def make_event_table(title: str, events: Sequence[Event], delta: float) -> Table:
    """Return what events run, with how much noise, and what each would cost alone."""
    table = make_table(title, ["on", "mechanism"], ["noise", "rate", "steps", "epsilon\nif alone"])
    for event in events:
        sampled = isinstance(event, SampledGaussianEvent)
        mechanism = "Gaussian, Poisson-sampled" if sampled else "Gaussian"
        alone = compute_epsilon([event], delta)
        add_row(table, [event.purpose, mechanism, *event_cells(event), f"{alone:.4f}"])
    return table
