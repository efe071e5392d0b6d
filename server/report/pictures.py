"""Pictures of real rows beside synthetic ones: columns, and distances of pairs."""

import math
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from server.report.bars import Bars
from server.report.drawing import (
    HEAT,
    INK,
    PAPER,
    REAL,
    STYLE,
    SYNTHETIC,
    WIDTH,
    make_figure,
    shorten,
    to_svg,
)

_MAX_WRITTEN = 20


def draw_levels(bars: Bars, label: str) -> Markup:
    """Return horizontal bars for real shares with a diamond on each for the synthetic share."""
    places = np.arange(len(bars.labels))
    with mpl.rc_context(STYLE):
        figure, axes = make_figure(height=42 + 19 * len(places))
        axes.barh(places, bars.real, height=0.66, color=REAL)
        axes.plot(bars.synthetic, places, "D", color=SYNTHETIC, markersize=6, clip_on=False)
        axes.set_yticks(places, [shorten(text, 22) for text in bars.labels])
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_xlim(-0.02 * _top(bars), _top(bars))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
        return to_svg(figure, label)


def draw_bins(bars: Bars, label: str) -> Markup:
    """Return a filled histogram of real shares with the outline of the synthetic one."""
    edges = np.arange(len(bars.labels) + 1)
    ticks = np.unique(np.linspace(0, len(bars.labels) - 1, 5).astype(int))
    with mpl.rc_context(STYLE):
        figure, axes = make_figure(height=190)
        axes.stairs(bars.real, edges, fill=True, color=REAL)
        axes.stairs(bars.synthetic, edges, color=SYNTHETIC, linewidth=2, baseline=None)
        axes.set_xticks(ticks + 0.5, [bars.labels[tick].split(" to ")[0][:10] for tick in ticks])
        axes.set_xlim(0, len(bars.labels))
        axes.set_ylim(0, _top(bars))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        return to_svg(figure, label)


def draw_distances(
    names: Sequence[str], distances: Sequence[Sequence[float]], label: str
) -> Markup:
    """Return a heat map of the lower triangle: the darker, the further apart.

    Columns are numbered, so that the names are written once; up to twenty columns carry their
    value in per cent in every cell.
    """
    matrix = np.array(distances, dtype=np.float64)
    largest = max(float(matrix.max()), 0.01)
    digits = 0 if largest >= 0.095 else 1
    return _draw_triangle(
        names,
        matrix / largest,
        lambda row, column: f"{100 * matrix[row, column]:.{digits}f}",
        label,
    )


def draw_differences(
    names: Sequence[str], differences: Sequence[Sequence[float]], label: str
) -> Markup:
    """Return a heat map of differences between sites, of which 1 is noise alone and the lightest.

    Sites are numbered like columns in ``draw_distances``, and so are values written.
    """
    matrix = np.array(differences, dtype=np.float64)
    beyond = np.log(np.maximum(matrix, 1.0))
    return _draw_triangle(
        names,
        beyond / max(float(beyond.max()), math.log(2.0)),
        lambda row, column: "" if row == column else f"{matrix[row, column]:.1f}",
        label,
    )


def _draw_triangle(
    names: Sequence[str],
    depths: npt.NDArray[np.float64],
    write: Callable[[int, int], str],
    label: str,
) -> Markup:
    with mpl.rc_context(STYLE):
        side = max(WIDTH, 150 + 15 * len(names))
        figure, axes = make_figure(height=side - 70, width=side)
        for row, column in zip(*np.tril_indices(len(names)), strict=True):
            text = write(int(row), int(column)) if len(names) <= _MAX_WRITTEN else ""
            _draw_cell(axes, int(row), int(column), float(depths[row, column]), text)
        rows = [f"{shorten(name, 16)} · {number}" for number, name in enumerate(names, start=1)]
        axes.set_yticks(np.arange(len(names)), rows)
        axes.set_xticks(np.arange(len(names)), [str(number + 1) for number in range(len(names))])
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return to_svg(figure, label, min_width=side if side > WIDTH else None)


def _draw_cell(axes: Axes, row: int, column: int, depth: float, text: str) -> None:
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=HEAT, alpha=depth, linewidth=0))
    if text:
        colour = PAPER if depth > 0.62 else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)


def _top(bars: Bars) -> float:
    highest: npt.NDArray[np.float64] = np.array([*bars.real, *bars.synthetic, 0.001])
    return 1.06 * float(highest.max())
