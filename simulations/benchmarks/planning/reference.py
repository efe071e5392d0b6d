"""From the benchmark's lines to the reference that a plan looks its expectation up in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from privacy import Budget, calibrate_gaussian
from server.planning import MEASURES, Point, Reference, UnitCosts
from server.planning.expectation import STRENGTHS, find_margin
from server.planning.noise import compute_signal
from simulations.benchmarks.planning.tables import DELTA, PARTITION, PublicTable
from simulations.benchmarks.tabular import Run
from synthesis.layout import SketchLayout

REAL, SKETCH = "real rows", "sketch alone"
STUDIES: tuple[tuple[float, int], ...] = (
    (10, 2),
    (10, 4),
    (3, 4),
    (3, 16),
    (1, 4),
    (1, 16),
    (0.3, 4),
    (0.3, 64),
)
"""Epsilon and number of sites of every study on every table."""
PART = 16
STUDIES_OF_PARTS: tuple[tuple[float, int], ...] = ((10, 4), (3, 4), (1, 4))
"""Studies of large tables cut to one of 16 rows, which reach down to weak signals."""
LARGE = 10_000


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One run of the benchmark."""

    method: str
    epsilon: float
    num_sites: int
    part: int = 1

    def words(self) -> str:
        """Return what is run, for the screen."""
        if self.method == REAL:
            return self.method
        return f"{self.method}, epsilon {self.epsilon:g}, {self.num_sites} sites"


def wanted_runs(tables: Iterable[PublicTable]) -> Iterator[tuple[PublicTable, Wanted]]:
    """Yield every run that the reference needs; real rows once for each table and part."""
    for table in tables:
        yield from ((table, wanted) for wanted in _wanted(1, STUDIES))
        if table.num_rows() >= LARGE:
            yield from ((table, wanted) for wanted in _wanted(PART, STUDIES_OF_PARTS))


def _wanted(part: int, studies: Sequence[tuple[float, int]]) -> Iterator[Wanted]:
    (epsilon, num_sites), *_ = studies
    yield Wanted(method=REAL, epsilon=epsilon, num_sites=num_sites, part=part)
    for epsilon, num_sites in studies:
        yield Wanted(method=SKETCH, epsilon=epsilon, num_sites=num_sites, part=part)


def is_wanted(run: Run, table: PublicTable, wanted: Wanted) -> bool:
    """Return whether a line is of this run, seed 0; real rows are the same in every study."""
    name = table.name_of(wanted.part)
    if (run.data, run.method, run.seed) != (name, wanted.method, 0):
        return False
    same = (run.epsilon, run.num_sites) == (wanted.epsilon, wanted.num_sites)
    return run.method == REAL or (same and (run.delta, run.partition) == (DELTA, PARTITION))


def make_reference(
    tables: Sequence[PublicTable], runs: Sequence[Run], costs: UnitCosts
) -> Reference:
    """Return the reference of all wanted runs, with the margin that each measure needs."""
    points = []
    for table, wanted in wanted_runs(tables):
        run = next(run for run in runs if is_wanted(run, table, wanted))
        if wanted.method == REAL:
            real = run
        else:
            points.append(make_point(table, run, real, part=wanted.part))
    found = {s: {m: find_margin(points, m, s) for m in MEASURES} for s in STRENGTHS}
    return Reference(
        points=tuple(points),
        margins={s: {m: round(margin, 4) for m, (margin, _) in found[s].items()} for s in found},
        held={s: {m: round(held, 3) for m, (_, held) in found[s].items()} for s in found},
        costs=costs,
    )


def make_point(table: PublicTable, run: Run, real: Run, *, part: int = 1) -> Point:
    """Return a run as a point: its figures over the signal that its plan had.

    Raises:
        ValueError: if the AUC of real rows is missing or no better than guessing.
    """
    if real.boosting_auc is None or run.boosting_auc is None or real.boosting_auc <= 0.5:
        raise ValueError(f"{table.name} must have a label that real rows predict.")
    layout = SketchLayout.from_schema(table.schema)
    noise = calibrate_gaussian(Budget(epsilon=run.epsilon, delta=run.delta))
    signal = compute_signal(table.num_rows(part), run.num_sites, noise, layout)
    two_sample = run.two_sample_auc
    return Point(
        table=table.name,
        epsilon=run.epsilon,
        num_sites=run.num_sites,
        rows=table.num_rows(part),
        signal=round(signal, 4),
        two_way=round(run.two_way, 4),
        gain_kept=round((run.boosting_auc - 0.5) / (real.boosting_auc - 0.5), 4),
        two_sample_auc=None if two_sample is None else round(two_sample, 4),
    )


def format_reference(reference: Reference) -> str:
    """Return all points as Markdown, and what each measure's margin holds."""
    heads = ("table", "rows", "epsilon", "sites", "signal", "two-way", "gain kept", "two-sample")
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for point in sorted(reference.points, key=lambda each: (each.table, each.signal)):
        two_sample = "-" if point.two_sample_auc is None else f"{point.two_sample_auc:.3f}"
        lines.append(
            f"| {point.table} | {point.rows} | {point.epsilon:g} | {point.num_sites} "
            f"| {point.signal:.2f} | {point.two_way:.3f} | {point.gain_kept:.2f} | {two_sample} |"
        )
    lines.append("")
    for strength in STRENGTHS:
        for measure in MEASURES:
            lines.append(
                f"{strength} signal, {measure}: margin {reference.margins[strength][measure]:.3f} "
                f"holds {reference.held[strength][measure]:.0%} of figures left out"
            )
    return "\n".join(lines)
