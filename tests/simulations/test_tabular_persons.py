"""The benchmark where a person has several rows: all of them weigh one, whatever the method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from visits import write_visits

from privacy import Budget
from simulations.benchmarks.tabular import Setting, baselines
from simulations.benchmarks.tabular import __main__ as benchmark
from simulations.settings import SimulationSettings
from simulations.sites import make_sites

QUICK = {"fit_steps": 10, "rounds": 1, "discriminator_steps": 2, "generator_steps": 2}
COUNTING = ["independent columns", "each site alone", "central sketch"]
SLOW = list(benchmark.METHODS)[4:]  # of which two run on records by default


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    write_visits(tmp_path)
    content = {"data": tmp_path / "visits.csv", "schema": tmp_path / "visits.toml"}
    settings = SimulationSettings.model_validate(content | {"partition": "column:clinic"})
    return Setting(
        data="visits",
        sites=make_sites(settings),
        partition=settings.partition,
        budget=Budget(epsilon=1.0, delta=1e-5),
        seed=0,
        study=QUICK,
    )


def statistics_of(setting: Setting, method: str, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a baseline puts noise on, and the noise it asks for."""
    seen: list[dict[str, Any]] = []

    def keep(values: np.ndarray, **noise: Any) -> np.ndarray:
        seen.append({"values": values, "sensitivity": noise["sensitivity"]})
        return values

    with patch.context() as patched:
        patched.setattr(baselines, "gaussian_mechanism", keep)
        benchmark.METHODS[method](setting)
    return seen


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, marks=pytest.mark.slow) if method in SLOW else method
        for method in benchmark.METHODS
    ],
)
def test_every_method_makes_as_many_rows_as_persons_have(
    setting: Setting, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = benchmark.METHODS[method](setting)
    monkeypatch.setitem(benchmark.METHODS, method, lambda setting: made)  # not a second time
    run = benchmark.run_method(setting, method)
    assert len(made.table) == len(setting.sites.train) > setting.sites.num_units
    assert list(made.table.columns) == ["age", "ward", "sick"]
    assert (run.method == "real rows") == (run.two_way == 0)


@pytest.mark.parametrize("method", COUNTING)
def test_a_person_of_many_rows_moves_a_baseline_by_its_sensitivity_at_most(
    setting: Setting, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = setting.sites.tables
    rows = pd.concat([first.iloc[:1].assign(patient="of many rows")] * 40, ignore_index=True)
    more = replace(setting.sites, tables=(pd.concat([first, rows], ignore_index=True), *others))
    without = statistics_of(setting, method, monkeypatch)
    with_one = statistics_of(replace(setting, sites=more), method, monkeypatch)
    moves = [
        float(np.linalg.norm(a["values"] - b["values"])) / a["sensitivity"]
        for a, b in zip(without, with_one, strict=True)
    ]
    assert max(moves) == pytest.approx(1, abs=1e-4)  # the rows are all alike: the worst case
    assert sum(moves) == pytest.approx(1, abs=1e-4)  # and at one site only


def test_the_command_takes_persons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_visits(tmp_path)
    source = ["--data", str(tmp_path / "visits.csv"), "--schema", str(tmp_path / "visits.toml")]
    words = [*source, "--partition", "column:clinic", "--seeds", "0", "--out"]
    benchmark.main([*words, str(tmp_path / "o.jsonl"), "--methods", *COUNTING[:1]])
    assert "visits, 3 sites (column:clinic), epsilon 1" in capsys.readouterr().out
