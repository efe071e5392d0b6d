"""Tables that are hard for a sketch end in a usable release, with the memory of a small machine."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from awkward_tables import ROWS, TABLES, write_awkward

import fedsynth
from simulations.simulate import SimulationResult
from synthesis.schema import check_table, load_schema
from synthesis.schema.reading import Rule
from synthesis.tables import read_table

TINY = "rounds = 1\ndiscriminator_steps = 2\ngenerator_steps = 2\nfit_steps = 8\n"
HEAVY = {"many_levels", "wide"}


def simulate(home: Path, name: str, **given) -> SimulationResult:
    write_awkward(home, name)
    (home / "tiny.toml").write_text(TINY)
    return fedsynth.simulate(
        home / "tiny.toml",
        data=home / "rows.csv",
        schema=home / "schema.toml",
        partition="column:site",
        out=home / "release",
        **given,
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in TABLES],
)
def test_an_awkward_table_ends_in_a_release_that_fits_its_schema(tmp_path, name) -> None:
    result = simulate(tmp_path, name)
    table = read_table(tmp_path / "release" / "synthetic.parquet")
    assert 0.75 * ROWS < len(table) < ROWS
    violations = check_table(load_schema(tmp_path / "schema.toml"), table)
    assert {each.rule for each in violations} <= {Rule.ONE_CLASS, Rule.ALL_MISSING}
    assert all(0.99 < site.total.pld <= 1 for site in result.report.sites)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < 2 << 30
