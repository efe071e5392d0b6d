"""One mechanism of a plan or a ledger as cells of a table."""

from __future__ import annotations

from privacy import Event, SampledGaussianEvent


def event_cells(event: Event) -> tuple[str, str, str]:
    """Return noise multiplier, sample rate and steps; one release of all rows has no rate."""
    noise = f"{event.noise_multiplier:.3f}"
    if isinstance(event, SampledGaussianEvent):
        return noise, f"{event.sample_rate:g}", str(event.steps)
    return noise, "", "1"
