"""Cost against size, measured and drawn: ``python -m simulations.benchmarks.sizes``.

Runs the benchmarks of sketch, sampler and federation at growing sizes, or takes what an earlier run
left, and draws one picture, each axis in powers of ten.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

__all__ = ["Curve", "draw", "main", "measure"]

ROWS = (100_000, 1_000_000, 10_000_000)
SITES = (4, 16, 64, 256, 1000)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What one thing costs at several sizes.

    Attributes:
        what: it is, in a few words.
        size: what the sizes count.
        sizes: ascending.
        seconds: processor time at each, which other programs disturb less than wall time.
        peak_mib: memory at each.
    """

    what: str
    size: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    peak_mib: tuple[float, ...]


def measure(rows: Sequence[int] = ROWS, sites: Sequence[int] = SITES) -> list[Curve]:
    """Run the benchmarks at every size.

    Args:
        rows: of tables that are read and drawn.
        sites: of federations.
    """
    curves = []
    for kind in ("parquet", "csv"):
        lines = [_run("sketch", "--rows", n, "--format", kind) for n in rows]
        curves.append(_curve(f"read and count, {kind}", rows, lines))
    drawn = [_run("sampler", "--rows", n, "--workers", 1) for n in rows]
    curves.append(_curve("draw, Parquet", rows, drawn))
    growth = _run("federation", "--rounds", 2, "--no-ray", "--sites", *sites)["growth"]
    return [
        *curves,
        Curve(
            what="a study of one short round",
            size="sites",
            sizes=tuple(growth["sites"]),
            seconds=tuple(growth["seconds"]),
            peak_mib=tuple(growth["peak_mib"]),
        ),
    ]


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draw seconds and memory against rows and against sites.

    Args:
        curves: what was measured.
        path: file to write, such as ``sizes.svg``.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fedsynth", "font.size": 10}):
        figure = Figure(figsize=(9, 6), layout="constrained")
        grid = figure.subplots(2, 2)
        panels = product(("seconds", "peak_mib"), ("rows", "sites"))
        for axes, (figures, size) in zip(grid.flat, panels, strict=True):
            for curve in curves:
                if curve.size == size:
                    axes.plot(curve.sizes, getattr(curve, figures), "o-", label=curve.what)
            axes.set_xscale("log")
            axes.set_xlabel(size)
            if figures == "seconds":
                axes.set_yscale("log")
                axes.set_ylabel("processor seconds")
            else:
                axes.margins(y=0.1)
                axes.set_ylim(bottom=0)
                axes.set_ylabel("peak memory, MiB")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


def main(words: Sequence[str] | None = None) -> None:
    """Measure cost against size, keep it as JSON lines, and draw it."""
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.sizes", description=main.__doc__
    )
    parser.add_argument("--lines", type=Path, default=Path("sizes.jsonl"), help="kept figures")
    parser.add_argument("--out", type=Path, default=Path("sizes.svg"), help="picture")
    given = parser.parse_args(words)
    if given.lines.exists():
        lines = given.lines.read_text(encoding="utf-8").splitlines()
        curves = [Curve(**json.loads(line)) for line in lines]
    else:
        curves = measure()
        text = "".join(json.dumps(vars(curve)) + "\n" for curve in curves)
        given.lines.write_text(text, encoding="utf-8")
    draw(curves, given.out)


def _curve(what: str, rows: Sequence[int], lines: Sequence[dict[str, Any]]) -> Curve:
    return Curve(
        what=what,
        size="rows",
        sizes=tuple(rows),
        seconds=tuple(line["processor_seconds"] for line in lines),
        peak_mib=tuple(line["peak_mib"] for line in lines),
    )


def _run(name: str, *words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", f"simulations.benchmarks.{name}", *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
