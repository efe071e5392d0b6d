"""What came of a chosen composition, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LEAST_WORTH = 2.0
"""Rows of a hundred as which weighted ones must count, or the answer warns of them."""


def sentences_about(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a record says about every part of the rows."""
    for part in record["parts"]:
        if "period" in part:
            yield f"{part['period']}: {part['asked']['rows']:,} rows."
        yield from _about_part(part["figures"])


def _about_part(figures: Mapping[str, Any]) -> Iterator[str]:
    for group in figures["sites"]:
        names = " and ".join(group["sites"]) or "all sites together"
        together = ", which the release does not tell apart" if len(group["sites"]) > 1 else ""
        yield f"  {100 * group['share']:.3g} % of the rows are of {names}{together}."
    for margin in figures["margins"]:
        yield (
            f"  {margin['wish']} {margin['of']}: distance {margin['distance']:.4f} from what was "
            f"asked (the generator alone {margin['distance_before']:.4f}, chance alone "
            f"{margin['distance_by_chance']:.4f})."
        )
    parity = figures["parity"]
    if parity is not None:
        gap, (high, low) = parity["gap"], parity["groups"]
        yield (
            f"  gap in {parity['outcome']!r} between {high!r} and {low!r}: {gap['value']:.3f} "
            f"(95 %: {gap['low']:.3f} to {gap['high']:.3f}), without parity "
            f"{parity['gap_before']:.3f}."
        )
    if figures["margins"]:
        worth = 100 * figures["efficiency"]
        yield (
            f"  weights: 100 of the generator's rows say as much as {worth:.3g}; every row written "
            "is drawn afresh."
        )
        if worth < LEAST_WORTH:
            yield (
                "  Few rows of the generator are of this kind, so it knows little of them; do not "
                "draw conclusions from these."
            )
    for site in figures["two_way_distance_to_sites"]:
        yield (
            f"  two-way distance to what describes {' and '.join(site['sites'])}: "
            f"{site['distance']:.4f} (the generator alone {site['distance_before']:.4f}, chance "
            f"alone {site['distance_by_chance']:.4f})."
        )
    distances = figures["two_way_distance_to_generator"]
    yield (
        f"  two-way distance to the generator's rows: {distances['of_these_rows']:.4f}, of its own "
        f"rows {distances['of_its_own_rows']:.4f} (on {figures['rows_measured']:,} rows)."
    )
