"""Inline SVG drawn by matplotlib: no fonts, colours or files of its own, the page sets them.

Every picture is the same for the same numbers. Colours are written as CSS variables, so that light,
dark and printed pages each choose their own; text stays text, so that it can be read aloud.
"""

import re
from io import StringIO
from typing import Any, Final

from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 340
INK, FAINT, REAL, SYNTHETIC, HEAT, PAPER, BAR, REST, BAD = (
    f"#1000{number:02d}" for number in range(1, 10)
)
_VARIABLES = {
    INK: "ink",
    FAINT: "faint",
    REAL: "real",
    SYNTHETIC: "synthetic",
    HEAT: "heat",
    PAPER: "paper",
    BAR: "bar",
    REST: "rest",
    BAD: "bad",
}
STYLE: Final[Any] = {  # matplotlib types the keys one by one
    "svg.fonttype": "none",
    "svg.hashsalt": "fedsynth",
    "font.size": 11,
    "figure.dpi": 72,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def make_figure(*, height: int, width: int = WIDTH) -> tuple[Figure, Axes]:
    """Return an empty figure, in pixels of the page, and its only axes."""
    figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure, figure.add_subplot()


def shorten(text: str, length: int) -> str:
    """Cut a text that is too long for its place."""
    return text if len(text) <= length else text[: length - 1] + "…"


def to_svg(figure: Figure, label: str, min_width: int | None = None) -> Markup:
    """Return a figure as SVG that a page can hold; ``label`` is what is read aloud."""
    text = _print(figure)
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


def _print(figure: Figure) -> str:
    """Return what ``figure.savefig`` writes, which would draw all twice to lay it out."""
    stream, engine = StringIO(), figure.get_layout_engine()
    assert engine is not None and isinstance(figure.canvas, FigureCanvasSVG)
    engine.execute(figure)
    figure.set_layout_engine("none")
    figure.canvas.print_svg(stream, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
