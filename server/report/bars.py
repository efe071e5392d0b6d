"""What to draw of a column: the largest levels, or the bins without exact values and gaps."""

from dataclasses import dataclass

from server.report.parts import ColumnPicture

MAX_LEVELS = 11


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Cells to draw, and those better said in words.

    Attributes:
        labels: one text per bar.
        real: share of real rows per bar.
        synthetic: share of synthetic rows per bar.
        spoken: (text, real share, synthetic share) of exact values and of missing ones.
    """

    labels: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    spoken: tuple[tuple[str, float, float], ...] = ()


def choose_bars(column: ColumnPicture) -> Bars:
    """Return what to draw: of many levels the largest and one bar for all others."""
    cells = list(zip(column.labels, column.real, column.synthetic, strict=True))
    if column.is_numeric:
        return _numeric_bars(column, cells)
    if not column.is_ordered:
        cells.sort(key=lambda cell: -cell[1])
    if len(cells) > MAX_LEVELS + 1:
        kept = sorted(cells, key=lambda cell: -cell[1])[:MAX_LEVELS]
        rest = [cell for cell in cells if cell not in kept]
        others = (f"{len(rest)} others", sum(c[1] for c in rest), sum(c[2] for c in rest))
        cells = [*(cell for cell in cells if cell in kept), others]
    return _to_bars(cells)


def _numeric_bars(column: ColumnPicture, cells: list[tuple[str, float, float]]) -> Bars:
    first, after = column.num_point_masses, len(cells) - column.has_missing
    masses = [(f"exactly {text}", real, fake) for text, real, fake in cells[:first]]
    return _to_bars(cells[first:after], spoken=(*masses, *cells[after:]))


def _to_bars(
    cells: list[tuple[str, float, float]], spoken: tuple[tuple[str, float, float], ...] = ()
) -> Bars:
    labels, real, synthetic = zip(*cells, strict=True)
    return Bars(labels=labels, real=real, synthetic=synthetic, spoken=spoken)
