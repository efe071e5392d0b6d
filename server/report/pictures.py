"""Inline SVG drawn by matplotlib: no fonts, colours or files of its own, the page sets them.

Every picture is the same for the same numbers. Colours are written as CSS variables, so that light,
dark and printed pages each choose their own; text stays text, so that it can be read aloud.
"""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from server.report.bars import Bars

WIDTH = 340
_INK, _FAINT, _REAL, _SYNTHETIC, _HEAT, _PAPER = (f"#1000{number:02d}" for number in range(1, 7))
_VARIABLES = {
    _INK: "ink",
    _FAINT: "faint",
    _REAL: "real",
    _SYNTHETIC: "synthetic",
    _HEAT: "heat",
    _PAPER: "paper",
}
_MAX_WRITTEN = 20
_STYLE: Any = {  # matplotlib types the keys one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "fedsynth",
    "font.size": 11,
    "figure.dpi": 72,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.facecolor": "none",
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_levels(bars: Bars, label: str) -> Markup:
    """Return horizontal bars for real shares with a diamond on each for the synthetic share."""
    places = np.arange(len(bars.labels))
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(height=42 + 19 * len(places))
        axes.barh(places, bars.real, height=0.66, color=_REAL)
        axes.plot(bars.synthetic, places, "D", color=_SYNTHETIC, markersize=6, clip_on=False)
        axes.set_yticks(places, [_shorten(text, 22) for text in bars.labels])
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_xlim(-0.02 * _top(bars), _top(bars))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
        return _to_svg(figure, label)


def draw_bins(bars: Bars, label: str) -> Markup:
    """Return a filled histogram of real shares with the outline of the synthetic one."""
    edges = np.arange(len(bars.labels) + 1)
    ticks = np.unique(np.linspace(0, len(bars.labels) - 1, 5).astype(int))
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(height=190)
        axes.stairs(bars.real, edges, fill=True, color=_REAL)
        axes.stairs(bars.synthetic, edges, color=_SYNTHETIC, linewidth=2, baseline=None)
        axes.set_xticks(ticks + 0.5, [bars.labels[tick].split(" to ")[0][:10] for tick in ticks])
        axes.set_xlim(0, len(bars.labels))
        axes.set_ylim(0, _top(bars))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        return _to_svg(figure, label)


def draw_distances(
    names: Sequence[str], distances: Sequence[Sequence[float]], label: str
) -> Markup:
    """Return a heat map of the lower triangle: the darker, the further apart.

    Columns are numbered, so that the names are written once; up to twenty columns carry their
    value in per cent in every cell.
    """
    matrix = np.array(distances, dtype=np.float64)
    largest = max(float(matrix.max()), 0.01)
    with mpl.rc_context(_STYLE):
        side = max(WIDTH, 150 + 15 * len(names))
        figure, axes = _figure(height=side - 70, width=side)
        for row, column in zip(*np.tril_indices(len(names)), strict=True):
            _draw_cell(axes, int(row), int(column), matrix[row, column], largest, len(names))
        rows = [f"{_shorten(name, 16)} {number}" for number, name in enumerate(names, start=1)]
        axes.set_yticks(np.arange(len(names)), rows)
        axes.set_xticks(np.arange(len(names)), [str(number + 1) for number in range(len(names))])
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return _to_svg(figure, label, min_width=side if side > WIDTH else None)


def _draw_cell(
    axes: Axes, row: int, column: int, distance: float, largest: float, size: int
) -> None:
    depth = distance / largest
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=_HEAT, alpha=depth, linewidth=0))
    if size <= _MAX_WRITTEN:
        colour = _PAPER if depth > 0.62 else _INK
        text = f"{100 * distance:.0f}" if largest >= 0.095 else f"{100 * distance:.1f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)


def _figure(*, height: int, width: int = WIDTH) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure, figure.add_subplot()


def _top(bars: Bars) -> float:
    highest: npt.NDArray[np.float64] = np.array([*bars.real, *bars.synthetic, 0.001])
    return 1.06 * float(highest.max())


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _to_svg(figure: Figure, label: str, min_width: int | None = None) -> Markup:
    stream = StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    text = re.sub(r"\n\s*", "\n", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    opening, _, drawing = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', opening)
    assert box is not None  # matplotlib always writes one
    width = f' style="min-width: {min_width}px"' if min_width else ""
    opening = f'<svg role="img" aria-label="{escape(label)}" {box.group()}{width}>'
    return Markup(opening + drawing.strip())
