"""What studies with as much signal came to on public tables: a band, never a single number.

The reference is a file of measured points, built by ``python -m simulations.benchmarks.planning``.
For each public table the measured figures are joined by straight lines over the logarithm of the
signal; the band at a signal goes from the lowest to the highest table there, widened by a margin.
The margin is chosen when the file is built, for each measure and for weak and strong signals by
themselves: the least with which, each table left out in turn, the share `COVERAGE` of its figures
lies in the band of the others. Nothing is extrapolated: a table says nothing beyond its own points,
and fewer than two tables make no band.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal

from server.planning.cost import UnitCosts

Measure = Literal["two_way", "gain_kept", "two_sample_auc"]
Strength = Literal["weak", "strong"]
MEASURES: tuple[Measure, ...] = ("two_way", "gain_kept", "two_sample_auc")
STRENGTHS: tuple[Strength, ...] = ("weak", "strong")
LIMITS: dict[Measure, tuple[float, float]] = {
    "two_way": (0.0, 1.0),
    "gain_kept": (0.0, 1.0),
    "two_sample_auc": (0.5, 1.0),
}
STRONG_SIGNAL = 4.0
"""From here on studies on public tables kept much of what can be predicted."""
FEWEST_TABLES = 2
COVERAGE = 1.0
"""Share of left-out figures that the band of the other tables must hold. There are few tables, so
it is all: with 0.8, bands held too few figures of tables that the reference does not know."""

REFERENCE_FILE = "reference.json"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One study on a public table.

    Attributes:
        table: name of the table.
        epsilon: of each site.
        num_sites: sites of equal size.
        rows: of all sites together.
        signal: as in :class:`server.planning.noise.SketchNoise`.
        two_way: mean total variation distance of all pairs of columns from the training rows.
        gain_kept: AUC above 0.5 of boosting trained on synthetic rows, as a share of that of real
            rows; it may leave [0, 1] by chance.
        two_sample_auc: how well trees tell synthetic from real, 0.5 is best; None if not asked.
    """

    table: str
    epsilon: float
    num_sites: int
    rows: int
    signal: float
    two_way: float
    gain_kept: float
    two_sample_auc: float | None


@dataclass(frozen=True, kw_only=True)
class Band:
    """Where a figure lay on public tables.

    Attributes:
        low: lower end.
        high: upper end.
        tables: how many tables say so.
    """

    low: float
    high: float
    tables: int


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What was measured on public tables.

    Attributes:
        points: one for each study.
        margins: by which a band is widened, by strength of the signal and measure.
        held: share of left-out figures that a band so widened holds, likewise.
        costs: what a unit of work takes.
    """

    points: tuple[Point, ...]
    margins: Mapping[Strength, Mapping[Measure, float]]
    held: Mapping[Strength, Mapping[Measure, float]]
    costs: UnitCosts

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the public tables."""
        return tuple(sorted({point.table for point in self.points}))

    def expect(self, measure: Measure, signal: float) -> Band | None:
        """Return the band of a measure, or None where too few tables say anything."""
        margin = self.margins[strength_of(signal)][measure]
        return find_band(self.points, measure, signal, margin=margin)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reference:
        """Return the reference of a file's values."""
        return cls(
            points=tuple(Point(**point) for point in values["points"]),
            margins=values["margins"],
            held=values["held"],
            costs=UnitCosts(**values["costs"]),
        )


def strength_of(signal: float) -> Strength:
    """Return in which of the two ranges a signal lies."""
    return "strong" if signal >= STRONG_SIGNAL else "weak"


@lru_cache(maxsize=1)
def load_reference() -> Reference:
    """Return the reference that comes with this version."""
    text = (files("server.planning") / REFERENCE_FILE).read_text(encoding="utf-8")
    return Reference.from_dict(json.loads(text))


def find_band(
    points: Sequence[Point], measure: Measure, signal: float, *, margin: float
) -> Band | None:
    """Return the band of all tables with points on both sides of a signal, widened by a margin."""
    figures = [
        figure
        for table in sorted({point.table for point in points})
        if (figure := _interpolate(points, table, measure, signal)) is not None
    ]
    if len(figures) < FEWEST_TABLES:
        return None
    lowest, highest = LIMITS[measure]
    low, high = _widen(measure, min(figures), max(figures), margin)
    return Band(
        low=min(max(low, lowest), highest),
        high=min(max(high, lowest), highest),
        tables=len(figures),
    )


def find_margin(
    points: Sequence[Point], measure: Measure, strength: Strength
) -> tuple[float, float]:
    """Return the least margin that holds enough left-out figures, and the share that it holds.

    Every table counts the same, however many of its points can be compared.

    Raises:
        ValueError: if no figure can be compared with a band of other tables.
    """
    excesses = _left_out(points, measure, strength)
    total = sum(weight for _, weight in excesses)
    if not total:
        raise ValueError(
            f"points must be of three tables that overlap where signals are {strength}."
        )
    held = 0.0
    for excess, weight in sorted(excesses):
        held += weight / total
        if held >= COVERAGE - 1e-9:
            return excess, sum(w for e, w in excesses if e <= excess) / total
    return max(excesses)[0], 1.0


def _left_out(
    points: Sequence[Point], measure: Measure, strength: Strength
) -> list[tuple[float, float]]:
    """Return for each point the margin that the other tables' band needs, and its weight."""
    found = []
    for table in sorted({point.table for point in points}):
        others = [point for point in points if point.table != table]
        needed = []
        for point in points:
            figure = getattr(point, measure)
            if point.table != table or figure is None or strength_of(point.signal) != strength:
                continue
            band = find_band(others, measure, point.signal, margin=0.0)
            if band is not None:
                needed.append(_excess(measure, figure, band))
        found += [(excess, 1 / len(needed)) for excess in needed]
    return found


def _excess(measure: Measure, figure: float, band: Band) -> float:
    """Return by how much a figure lies outside a band: a ratio for distances, else a difference."""
    lowest, highest = LIMITS[measure]
    figure = min(max(figure, lowest), highest)
    if measure == "two_way":
        least = 1e-6
        low, high, here = (max(value, least) for value in (band.low, band.high, figure))
        return max(0.0, math.log(here / high), math.log(low / here))
    return max(0.0, figure - band.high, band.low - figure)


def _widen(measure: Measure, low: float, high: float, margin: float) -> tuple[float, float]:
    if measure == "two_way":
        return low / math.exp(margin), high * math.exp(margin)
    return low - margin, high + margin


def _interpolate(
    points: Sequence[Point], table: str, measure: Measure, signal: float
) -> float | None:
    """Return a table's figure at a signal between two of its points."""
    known = sorted(
        (point.signal, figure)
        for point in points
        if point.table == table and (figure := getattr(point, measure)) is not None
    )
    for (left, before), (right, after) in pairwise(known):
        if left <= signal <= right:
            part = 0.0 if left == right else math.log(signal / left) / math.log(right / left)
            return float(before + part * (after - before))
    return None
