"""Runs as a table: a mean over seeds, and how far the seeds lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from simulations.benchmarks.tabular.setting import FIGURES, Run

_HEADS = {
    "boosting_auc": "AUC, boosting",
    "logistic_auc": "AUC, logistic",
    "accuracy": "accuracy",
    "f1": "F1",
    "one_way": "one-way",
    "two_way": "two-way",
    "three_way": "three-way",
    "two_sample_auc": "two-sample",
    "worst_site": "worst site",
    "processor_s": "CPU s",
    "megabytes": "MB",
}
_IN_WHOLE = frozenset({"processor_s", "megabytes"})


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One method on one setting, over seeds.

    Attributes:
        setting: data, sites, partition (with its alpha), epsilon and delta.
        method: what made the tables.
        seeds: how many runs there are.
        means: per figure, or None where a run could not tell.
        spreads: per figure, the standard deviation over seeds; None with a single seed.
    """

    setting: tuple[str, int, str, float, float]
    method: str
    seeds: int
    means: dict[str, float | None]
    spreads: dict[str, float | None]


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """Return one summary for each setting and method, in the order in which they came."""
    groups: dict[tuple[tuple[str, int, str, float, float], str], list[Run]] = {}
    for run in runs:
        partition = run.partition if run.alpha is None else f"{run.partition}, alpha {run.alpha:g}"
        setting = (run.data, run.num_sites, partition, run.epsilon, run.delta)
        groups.setdefault((setting, run.method), []).append(run)
    return [
        Summary(
            setting=setting,
            method=method,
            seeds=len(group),
            means={name: _over(group, name, 1, mean) for name in FIGURES},
            spreads={name: _over(group, name, 2, stdev) for name in FIGURES},
        )
        for (setting, method), group in sorted(groups.items(), key=lambda item: item[0][0])
    ]


def format_table(runs: Sequence[Run]) -> str:
    """Return the summaries as Markdown, one table for each setting."""
    lines: list[str] = []
    last = None
    for summary in summarise(runs):
        if summary.setting != last:
            last = summary.setting
            lines += [*([""] if lines else []), _title(summary), "", *_header()]
        cells = [_cell(summary, name) for name in FIGURES]
        lines.append(f"| {summary.method} | {summary.seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _over(
    group: Sequence[Run], name: str, fewest: int, fold: Callable[[list[float]], float]
) -> float | None:
    values = [getattr(run, name) for run in group]
    if len(values) < fewest or None in values:
        return None
    return float(fold(values))


def _title(summary: Summary) -> str:
    data, sites, partition, epsilon, delta = summary.setting
    return f"{data}, {sites} sites ({partition}), epsilon {epsilon:g}, delta {delta:g}"


def _header() -> list[str]:
    heads = [_HEADS[name] for name in FIGURES]
    return [f"| method | seeds | {' | '.join(heads)} |", "|---|--:" + "|--:" * len(heads) + "|"]


def _cell(summary: Summary, name: str) -> str:
    value, spread = summary.means[name], summary.spreads[name]
    if value is None:
        return "-"
    if name in _IN_WHOLE:
        return f"{value:.1f}"
    return f"{value:.3f}" if spread is None else f"{value:.3f} ± {spread:.3f}"
