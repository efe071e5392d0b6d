"""Whole studies on the tables that come along, small in steps but complete, on both backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.numpy import load_file

from synthesis.schema import check_table, load_schema
from synthesis.schema.reading import Rule
from synthesis.tables import read_table

ROOT = Path(__file__).parents[2]
DATA = ROOT / "simulations" / "data"
FEDSYNTH = [sys.executable, "-c", "from fedsynth.cli import main; main()", "simulate", "tiny.toml"]
TINY = "rounds = 1\ndiscriminator_steps = 2\ngenerator_steps = 1\nfit_steps = 5\n"


def simulate(folder: Path, table: str, schema: str, column: str, *words: str) -> Path:
    """Run the command as a person does and return the release folder."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.toml").write_text(TINY)
    source = ["--data", str(DATA / table), "--schema", str(DATA / schema)]
    done = subprocess.run(
        [*FEDSYNTH, *source, "--partition", f"column:{column}", "--out", "release", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "release"


def check_release(release: Path, num_sites: int, train_rows: int) -> None:
    table = read_table(release / "synthetic.parquet")
    violations = check_table(load_schema(release / "schema.toml"), table)
    # So few rows and steps may leave a single class, which is poor and not invalid.
    assert [each for each in violations if each.rule is not Rule.ONE_CLASS] == []
    assert len(table) == train_rows
    report = json.loads((release / "report.json").read_text())
    assert len(report["sites"]) == num_sites
    for site in report["sites"]:
        assert 0.995 <= site["total"]["pld"] <= 1 < site["total"]["rdp"]
    for row in report["utility"]["rows"]:
        assert 0 <= row["two_way"] <= 1
    page = (release / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "schema", "column", "num_sites", "train_rows"),
    [
        ("penguins.csv", "penguins.toml", "island", 3, 277),
        pytest.param(
            *("indomethacin.csv", "indomethacin.toml", "site", 4, 484), marks=pytest.mark.long
        ),
        pytest.param(
            *("covid.csv.gz", "covid.toml", "clinic_name", 88, 12454), marks=pytest.mark.long
        ),
    ],
)
def test_a_table_by_its_natural_sites_gives_a_valid_release(
    tmp_path: Path, table: str, schema: str, column: str, num_sites: int, train_rows: int
) -> None:
    check_release(simulate(tmp_path, table, schema, column), num_sites, train_rows)


@pytest.mark.slow
@pytest.mark.long
def test_both_backends_agree_up_to_floating_point(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    words = ("penguins.csv", "penguins.toml", "island")
    local = simulate(tmp_path / "local", *words)
    ray = simulate(tmp_path / "ray", *words, "--backend", "ray")
    weights, others = (load_file(each / "generator.safetensors") for each in (local, ray))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert others[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    tables = [pd.read_parquet(each / "synthetic.parquet") for each in (local, ray)]
    same = (tables[0] == tables[1]) | (tables[0].isna() & tables[1].isna())
    assert same.to_numpy().mean() > 0.99
    reports = [json.loads((each / "report.json").read_text()) for each in (local, ray)]
    for mine, theirs in zip(reports[0]["sites"], reports[1]["sites"], strict=True):
        assert mine["name"] == theirs["name"]
        assert mine["total"] == theirs["total"]
    assert reports[1]["cost"]["traffic"] == []  # node ids are random there: no site is guessed
    assert reports[1]["cost"]["rounds"][0]["valid"] == 3
