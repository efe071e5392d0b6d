"""The budget over time as a picture, drawn without any display."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fedsynth.site.gauge import Gauge, shorten

_SPENT, _ALLOWED, _INK, _FAINT = "#1f5fa8", "#b3261e", "#1d1d1f", "#8a8a8e"
_STYLE: Any = {  # matplotlib types the keys one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "fedsynth",
    "font.size": 11,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
}
_MAX_NAMED = 12
_SHORTEST_SPAN = timedelta(minutes=10)


def draw_gauge(gauge: Gauge, out: Path) -> None:
    """Write the picture as SVG or PNG, by the ending of the file; the same ledger, the same bytes.

    Args:
        gauge: what was measured.
        out: a file that ends in ``.svg`` or ``.png``.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 4.2), dpi=150, layout="constrained")
        is_vector = out.suffix.lower() == ".svg"
        (FigureCanvasSVG if is_vector else FigureCanvasAgg)(figure)
        _draw(figure.add_subplot(), gauge)
        if is_vector:
            figure.savefig(out, format="svg", metadata={"Date": None})
        else:
            figure.savefig(out, format="png")


def _draw(axes: Axes, gauge: Gauge) -> None:
    readings = gauge.readings
    start, end = readings[0].moment, datetime.fromisoformat(gauge.latest)
    margin = max(end - start, _SHORTEST_SPAN) * 0.06
    times = [date2num(moment) for moment in [*(r.moment for r in readings), end + margin]]
    spent = [r.epsilon for r in readings]
    allowed = [r.allowed for r in readings]
    spent, allowed = [*spent, spent[-1]], [*allowed, allowed[-1]]
    axes.fill_between(times, spent, step="post", color=_SPENT, alpha=0.15, linewidth=0)
    axes.step(times, spent, where="post", color=_SPENT, linewidth=2)
    axes.step(times, allowed, where="post", color=_ALLOWED, linewidth=1.5, linestyle="--")
    axes.set_ylim(0, max([*allowed, *spent]) * 1.1)
    axes.set_xlim(date2num(start - margin), times[-1])
    axes.legend(
        handles=_name_steps(axes, gauge),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=9,
        borderaxespad=0,
    )
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("time (UTC)")
    axes.set_ylabel("epsilon")
    axes.set_title(
        f"{gauge.site}, {gauge.dataset}: epsilon by PLD at delta {gauge.policy.delta:g}, "
        f"per {gauge.policy.unit.value}",
        loc="left",
        fontsize=11,
    )


def _name_steps(axes: Axes, gauge: Gauge) -> list[Line2D]:
    """Number the steps, and return lines of a legend that say which study each one is."""
    last = gauge.readings[-1]
    studies = [reading for reading in gauge.readings if reading.study]
    entries = [
        Line2D([], [], color=_SPENT, linewidth=2, label=f"spent: {last.epsilon:.4f}"),
        Line2D([], [], color=_ALLOWED, linestyle="--", label=f"allowed: {last.allowed:g}"),
    ]
    for number, reading in enumerate(studies, start=1):
        if number <= len(studies) - _MAX_NAMED:
            continue
        axes.annotate(
            str(number),
            (date2num(reading.moment), reading.epsilon),
            (-3, 3),
            textcoords="offset points",
            ha="right",
            color=_SPENT,
            fontsize=9,
        )
        label = f"{number}  {shorten(reading.study)}: {reading.epsilon:.3f}"
        entries.append(Line2D([], [], linestyle="none", label=label))
    return entries
