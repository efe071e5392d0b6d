"""Runs as tables, strategies by partitions: means over seeds, and how far seeds lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean, stdev
from typing import Final

from simulations.benchmarks.strategies.dealing import PARTITIONS
from simulations.benchmarks.strategies.line import Line
from simulations.benchmarks.strategies.methods import STRATEGIES

_MISSING: Final = "-"


@dataclass(frozen=True, kw_only=True)
class _Figure:
    title: str
    field: str
    form: str


_FIGURES: Final = (
    _Figure(title="AUC of boosting", field="auc", form=".4f"),
    _Figure(title="two-way distance to all rows", field="two_way", form=".4f"),
    _Figure(title="two-sample AUC", field="two_sample_auc", form=".3f"),
    _Figure(title="largest two-way distance of a site", field="worst_site", form=".3f"),
    _Figure(title="processor seconds, all sites and coordinator", field="processor_s", form=".0f"),
    _Figure(title="megabytes that one site sends", field="megabytes_up", form=".2f"),
)


def format_tables(lines: Sequence[Line]) -> str:
    """Return Markdown: for each number of sites, epsilon and figure a table of means.

    Each cell is the mean over seeds, with the standard deviation where there are several, and the
    number of runs in brackets. The last column is the mean over all partitions, where all were run.
    """
    parts: list[str] = []
    ordered = sorted(lines, key=_setting)
    for (data, sites, epsilon, delta), group in groupby(ordered, key=_setting):
        several = list(group)
        parts.append(f"### {data}, {sites} sites, epsilon {epsilon:g}, delta {delta:g}")
        parts += [_format(figure, several) for figure in _FIGURES]
    return "\n\n".join(parts) + "\n" if parts else ""


def _setting(line: Line) -> tuple[str, int, float, float]:
    return line.case.data, line.case.sites, line.case.epsilon, line.case.delta


def _format(figure: _Figure, lines: Sequence[Line]) -> str:
    partitions = [p for p in PARTITIONS if any(line.case.partition == p for line in lines)]
    rows = [
        f"| {figure.title} | {' | '.join(partitions)} | mean |",
        "|---|" + "--:|" * (len(partitions) + 1),
    ]
    for strategy in _order({line.case.strategy for line in lines}):
        values = [_values(figure, lines, strategy, partition) for partition in partitions]
        whole = len(partitions) == len(PARTITIONS) and all(values)
        average = f"{mean(map(mean, values)):{figure.form}}" if whole else _MISSING
        cells = [_cell(each, figure.form) for each in values]
        rows.append(f"| {strategy} | {' | '.join(cells)} | {average} |")
    return "\n".join(rows)


def _order(strategies: set[str]) -> list[str]:
    """Return the usual ones as they are listed, and then the others."""
    usual = [name for name in STRATEGIES if name in strategies]
    return usual + sorted(strategies.difference(usual))


def _values(figure: _Figure, lines: Sequence[Line], strategy: str, partition: str) -> list[float]:
    """Return the figure of all runs that could tell it."""
    values = [
        getattr(line.figures, figure.field)
        for line in lines
        if (line.case.strategy, line.case.partition) == (strategy, partition)
    ]
    return [value for value in values if value is not None]


def _cell(values: Sequence[float], form: str) -> str:
    if not values:
        return _MISSING
    spread = f" ± {stdev(values):{form}}" if len(values) > 1 else ""
    return f"{mean(values):{form}}{spread} ({len(values)})"
