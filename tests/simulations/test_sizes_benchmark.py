"""The picture of cost against size is drawn from what was kept, and is the same each time."""

from __future__ import annotations

import json
from pathlib import Path

from simulations.benchmarks import sizes
from simulations.benchmarks.sizes import Curve

CURVES = [
    Curve(what="draw", size="rows", sizes=(10, 100), seconds=(0.1, 1.0), peak_mib=(5.0, 6.0)),
    Curve(what="study", size="sites", sizes=(4, 16), seconds=(2.0, 8.0), peak_mib=(7.0, 7.0)),
]


def test_kept_figures_are_drawn_without_being_measured_again(tmp_path: Path) -> None:
    lines, first, second = (tmp_path / name for name in ("kept.jsonl", "one.svg", "two.svg"))
    lines.write_text("".join(json.dumps(vars(curve)) + "\n" for curve in CURVES))
    for out in (first, second):
        sizes.main(["--lines", str(lines), "--out", str(out)])
    assert first.read_bytes() == second.read_bytes()
    picture = first.read_text()
    for words in ("draw", "study", "rows", "sites", "processor seconds", "peak memory, MiB"):
        assert words in picture
