"""The reference is built from lines that are kept, and only what is missing is run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import SCHEMA

from privacy import calibrate_gaussian
from server.planning import Reference, UnitCosts
from server.planning.noise import compute_signal
from simulations.benchmarks.planning import __main__ as benchmark
from simulations.benchmarks.planning import find_tables, measure_unit_costs, reference
from simulations.benchmarks.planning.unit_costs import ENVELOPE_BYTES
from simulations.benchmarks.tabular import FIGURES, Run, Setting
from synthesis import InputError
from synthesis.layout import SketchLayout

COSTS = dict.fromkeys(
    "envelope_bytes generator_bytes discriminator_weights discriminator_weights_per_code start_s "
    "start_bytes record_s noise_s fit_s fit_s_at_least private_s private_s_at_least".split(),
    1.0,
)
STUDIES = ((30.0, 2), (10.0, 2), (1.0, 4), (0.3, 4), (0.1, 4))


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    for number, name in enumerate("abc"):
        rng = np.random.default_rng(number)
        age = rng.integers(0, 100, 400 + 100 * number)
        rows = {"age": age, "ward": "east", "sick": np.where(age > 55, "yes", "no"), "clinic": "x"}
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
        (folder / f"{name}.toml").write_text(SCHEMA)
    (folder / "no_rows.toml").write_text(SCHEMA)
    return folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run; every run comes to the same figures."""
    names: list[str] = []

    def run_method(setting: Setting, method: str) -> Run:
        names.append(f"{setting.data}: {method}")
        assert len(setting.sites.tables) > 1
        figures = dict.fromkeys(FIGURES, 0.7) | {"two_way": 0.1 + 0.1 / setting.budget.epsilon}
        return Run(
            data=setting.data,
            num_sites=len(setting.sites.tables),
            partition=setting.partition,
            epsilon=setting.budget.epsilon,
            delta=setting.budget.delta,
            seed=setting.seed,
            method=method,
            **figures,
        )

    monkeypatch.setattr(benchmark, "run_method", run_method)
    monkeypatch.setattr(reference, "STUDIES", STUDIES)
    monkeypatch.setattr(benchmark, "measure_unit_costs", lambda narrow, wide: UnitCosts(**COSTS))
    return names


def build(tables: Path, home: Path) -> Reference:
    words = ["--tables", str(tables), "--lines", str(home / "l.jsonl"), "--out", str(home / "r")]
    benchmark.main(words)
    return Reference.from_dict(json.loads((home / "r").read_text()))


def test_a_reference_holds_every_study_over_the_signal_of_its_plan(
    tables: Path, tmp_path: Path, ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    built = build(tables, tmp_path)
    assert built.tables == ("a", "b", "c")
    assert len(built.points) == 3 * len(STUDIES)
    assert ran.count("a: real rows") == 1
    point = built.points[0]
    (table, *_) = find_tables([tables])
    setting = table.deal(num_sites=2, epsilon=30.0)
    layout = SketchLayout.from_schema(setting.sites.schema)
    noise = calibrate_gaussian(setting.budget)
    signal = compute_signal(len(setting.sites.train), 2, noise, layout)
    assert (point.table, point.epsilon, point.num_sites) == ("a", 30.0, 2)
    assert point.signal == pytest.approx(signal, abs=1e-4)
    assert (point.gain_kept, point.two_sample_auc) == (1.0, 0.7)
    assert "| a | 320 | 30 | 2 |" in capsys.readouterr().out


def test_only_what_is_missing_is_run(tables: Path, tmp_path: Path, ran: list[str]) -> None:
    first = build(tables, tmp_path)
    lines = (tmp_path / "l.jsonl").read_text().splitlines()
    ran.clear()
    assert build(tables, tmp_path) == first
    assert ran == []
    (tmp_path / "l.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert build(tables, tmp_path) == first
    assert ran == ["c: sketch alone"]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tables must be folders"):
        find_tables([tmp_path])
    with pytest.raises(SystemExit, match="tables must be folders"):
        benchmark.main(["--tables", str(tmp_path), "--lines", str(tmp_path / "l")])


def test_the_shipped_tables_are_found_and_persons_passed_over() -> None:
    names = [table.name for table in find_tables()]
    assert names == ["adult", "airport", "covid", "indomethacin", "penguins"]


@pytest.mark.slow
def test_unit_costs_are_positive_and_sizes_exact() -> None:
    narrow, *_, wide = sorted((t.schema for t in find_tables()), key=lambda s: sum(s.sizes))
    costs = measure_unit_costs(narrow, wide, repeats=2)
    assert costs.envelope_bytes == ENVELOPE_BYTES
    assert 0 < costs.generator_bytes < 10_000  # names and shapes, no numbers
    assert min(costs.fit_s, costs.private_s, costs.record_s, costs.noise_s, costs.start_s) > 0
