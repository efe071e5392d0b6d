"""How far rows of a chosen composition are from what was asked, and from the generator's own."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any, Final

import numpy as np
import pandas as pd

from synthesis.encoding import Placed, to_frame
from synthesis.evaluation import Estimate
from synthesis.mixing.grouping import Floats
from synthesis.mixing.margins import Margin
from synthesis.mixing.mixed_sample import MixedPart
from synthesis.quality import marginal_distance
from synthesis.sharded_sample import ShardedSample

MEASURED_ROWS: Final = 1 << 16
"""Generated rows that distances are measured on; those to write are as many, or fewer."""
LEAST_GROUP: Final = 0.01
"""Groups with a smaller share do not decide which gap is the largest."""
_PLAIN, _OTHER = 1 << 20, 1 << 21  # streams that no shard and no period has
_TWO_SIDED: Final = 1.96


def measure(part: MixedPart) -> dict[str, Any]:
    """Return the figures of rows to come, measured on the first of them.

    Distances are total variation, in [0, 1]; those to the generator are the mean over all pairs of
    columns, beside that of two tables of the generator's own rows, which is all chance. So are
    those to the rows of every group of sites that the generator tells apart: of the generator's own
    rows, before anything was asked, and of these.
    """
    rows = part.sample.draw_shard(0)
    rows = [
        Placed(places=each.places[:MEASURED_ROWS], missing=each.missing[:MEASURED_ROWS])
        for each in rows
    ]
    schema = part.plain.schema
    own, other = _draw_two(part.plain)
    table = to_frame(schema, rows)
    count = len(table)
    composition = part.composition
    return {
        "rows_measured": count,
        "efficiency": composition.efficiency,
        "margins": [
            _measure_margin(goal.margin, goal.shares, before, rows, count)
            for goal, before in zip(composition.goals, composition.before, strict=True)
        ],
        "parity": _measure_parity(part, rows),
        "sites": _measure_sites(part),
        "two_way_distance_to_generator": {
            "of_its_own_rows": marginal_distance(schema, other.head(count), own, 2),
            "of_these_rows": marginal_distance(schema, table, own, 2),
        },
        "two_way_distance_to_sites": [
            {"sites": list(sites), **_measure_to_site(described, other.head(count), table)}
            for sites, described in part.apart.items()
        ],
    }


def _draw_two(sample: ShardedSample) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tables of the rows that a sample is of, apart from those and from each other."""
    sample = replace(sample, num_rows=MEASURED_ROWS)
    one, other = (
        to_frame(sample.schema, replace(sample, stream=(stream,)).draw_shard(0))
        for stream in (_PLAIN, _OTHER)
    )
    return one, other


def _measure_to_site(
    described: ShardedSample, before: pd.DataFrame, after: pd.DataFrame
) -> dict[str, float]:
    """Return how far tables of as many rows are from what describes a group of sites."""
    schema, (own, other) = described.schema, _draw_two(described)
    return {
        "distance_before": marginal_distance(schema, before, own, 2),
        "distance": marginal_distance(schema, after, own, 2),
        "distance_by_chance": marginal_distance(schema, other.head(len(after)), own, 2),
    }


def _measure_sites(part: MixedPart) -> list[dict[str, Any]]:
    """Return what share each group of sites has, beside what was asked.

    Members that describe all sites together have none by name, and are left out where they have no
    share, as where sites are asked for.
    """
    if not part.groups:
        return []
    shares = part.composition.rows.share_out(len(part.groups)).tolist()
    return [
        {"sites": list(group.sites), "asked": group.share, "share": share}
        for group, share in zip(part.groups, shares, strict=True)
        if group.sites or group.share > 0
    ]


def _measure_margin(
    margin: Margin, shares: Floats, before: Floats, rows: list[Placed], count: int
) -> dict[str, Any]:
    found = margin.measure(rows)
    return {
        "of": margin.name,
        "wish": margin.wish,
        "distance_before": float(np.abs(before - shares).sum() / 2),
        "distance": float(np.abs(found - shares).sum() / 2),
        # The mean absolute deviation of a normal variable is its standard one times sqrt(2 / pi).
        "distance_by_chance": float(np.sqrt(2 * shares * (1 - shares) / np.pi / count).sum() / 2),
    }


def _measure_parity(part: MixedPart, rows: list[Placed]) -> dict[str, Any] | None:
    """Return the largest gap before parity, and what is left of that gap in the rows."""
    before = part.composition.unequal
    if before is None:
        return None
    margin = part.composition.goals[-1].margin
    groups, outcomes = margin.axes
    joint = before[:-1].reshape(margin.shares.shape)
    given = joint / np.maximum(joint.sum(1, keepdims=True), 1e-300)
    given[joint.sum(1) < LEAST_GROUP] = np.nan
    outcome = int(np.argmax(np.nanmax(given, axis=0) - np.nanmin(given, axis=0)))
    high, low = (int(pick(given[:, outcome])) for pick in (np.nanargmax, np.nanargmin))
    found = groups.find_cells(rows[groups.column]), outcomes.find_cells(rows[outcomes.column])
    counts = [
        (int(((found[0] == g) & (found[1] == outcome)).sum()), int((found[0] == g).sum()))
        for g in (high, low)
    ]
    gap = estimate_gap(*counts[0], *counts[1])
    return {
        "outcome": outcomes.keys[outcome],
        "groups": [groups.keys[high], groups.keys[low]],
        "gap_before": float(given[high, outcome] - given[low, outcome]),
        "gap": {"value": gap.value, "low": gap.low, "high": gap.high},
    }


def estimate_gap(hits: int, rows: int, other_hits: int, other_rows: int) -> Estimate:
    """Return the difference of two proportions with its 95 % interval; without rows, any.

    Reference: Newcombe 1998, method 10.
    """
    if not rows or not other_rows:
        return Estimate(value=0.0, low=-1.0, high=1.0)
    one, two = hits / rows, other_hits / other_rows
    (low1, high1), (low2, high2) = _wilson(one, rows), _wilson(two, other_rows)
    value = one - two
    return Estimate(
        value=value,
        low=value - sqrt((one - low1) ** 2 + (high2 - two) ** 2),
        high=value + sqrt((high1 - one) ** 2 + (two - low2) ** 2),
    )


def _wilson(share: float, rows: int) -> tuple[float, float]:
    square = _TWO_SIDED**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = _TWO_SIDED * sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    half /= 1 + square / rows
    return middle - half, middle + half
