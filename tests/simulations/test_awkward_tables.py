"""Tables that are hard for a sketch end in a usable release, with the memory of a small machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from awkward_tables import ROWS, TABLES, write_awkward

from synthesis.schema import check_table, load_schema
from synthesis.schema.reading import Rule
from synthesis.tables import read_table

TINY = "rounds = 1\ndiscriminator_steps = 2\ngenerator_steps = 2\nfit_steps = 8\n"
LONG = {"wide", "many_levels", "dates"}
ALONE = """
from pathlib import Path
import fedsynth
fedsynth.simulate(
    "tiny.toml", data="rows.csv", schema="schema.toml", partition="column:site", out="release"
)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
"""
"""A study, and then the most KiB that its process held; other tests have their own peaks."""


def simulate(home: Path, name: str) -> int:
    """Run a study in a process of its own, and return the bytes that it held at most."""
    write_awkward(home, name)
    (home / "tiny.toml").write_text(TINY)
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in TABLES],
)
def test_an_awkward_table_ends_in_a_release_that_fits_its_schema(tmp_path, name) -> None:
    assert simulate(tmp_path, name) < 2 << 30
    table = read_table(tmp_path / "release" / "synthetic.parquet")
    assert 0.75 * ROWS < len(table) < ROWS
    violations = check_table(load_schema(tmp_path / "schema.toml"), table)
    assert {each.rule for each in violations} <= {Rule.ONE_CLASS, Rule.ALL_MISSING}
    report = json.loads((tmp_path / "release" / "report.json").read_text("utf-8"))
    assert all(0.99 < site["total"]["pld"] <= 1 for site in report["sites"])
