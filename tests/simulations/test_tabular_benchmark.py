"""The benchmark of utility: every method runs, lines are kept, and the table says what they say."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import SCHEMA
from stages import but_for

from privacy import Budget
from simulations.benchmarks.tabular import FIGURES, Run, Setting, format_table, summarise
from simulations.benchmarks.tabular import __main__ as benchmark
from simulations.benchmarks.tabular.baselines import independent_columns
from simulations.benchmarks.tabular.rows import adult_rows, other_rows
from simulations.settings import SimulationSettings
from simulations.sites import make_sites

QUICK = {"fit_steps": 30, "rounds": 1, "discriminator_steps": 2, "generator_steps": 2}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    age = rng.integers(0, 100, 400)
    table = pd.DataFrame(
        {
            "age": age,
            "ward": np.array(["east", "west", "north"])[age // 10 % 3],
            "sick": np.where(age + rng.normal(0, 10, 400) > 55, "yes", "no"),
        }
    )
    table.to_csv(tmp_path / "toy.csv", index=False)
    (tmp_path / "toy.toml").write_text(SCHEMA)
    return tmp_path / "toy.csv", tmp_path / "toy.toml"


def make_setting(
    files: tuple[Path, Path], epsilon: float = 1.0, seed: int = 0, **study: int
) -> Setting:
    data, schema = files
    content = {"data": data, "schema": schema, "sites": 2, "seed": seed}
    return Setting(
        data="toy",
        sites=make_sites(SimulationSettings.model_validate(content)),
        partition="iid",
        budget=Budget(epsilon=epsilon, delta=1e-5),
        seed=seed,
        study=QUICK | study,
    )


QUICK_METHODS = [*list(benchmark.METHODS)[:3], "fedsynth"]


@pytest.mark.parametrize("method", but_for(benchmark.METHODS, *QUICK_METHODS))
def test_every_method_makes_as_many_valid_rows_as_there_are_real_ones(
    files: tuple[Path, Path], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = make_setting(files)
    made = benchmark.METHODS[method](setting)
    monkeypatch.setitem(benchmark.METHODS, method, lambda setting: made)  # not a second time
    assert len(made.table) == len(setting.sites.train)
    assert list(made.table.columns) == ["age", "ward", "sick"]
    run = benchmark.run_method(setting, method)
    assert 0 <= run.one_way <= run.two_way <= run.three_way <= 1
    assert (run.method == "real rows") == (run.two_way == 0)
    is_sent = method not in ("real rows", "each site alone", "central sketch")
    assert (run.megabytes > 0) == is_sent
    assert (run.processor_s > 0) == (method != "real rows")


@pytest.mark.slow
def test_what_is_known_to_be_better_scores_better(files: tuple[Path, Path]) -> None:
    setting = make_setting(files, epsilon=20.0, fit_steps=500)
    runs = {m: benchmark.run_method(setting, m) for m in ("independent columns", "central sketch")}
    assert runs["central sketch"].two_way < runs["independent columns"].two_way
    less = benchmark.run_method(make_setting(files, epsilon=0.1), "independent columns")
    assert less.one_way > runs["independent columns"].one_way


def test_the_same_seed_gives_the_same_table(files: tuple[Path, Path]) -> None:
    first, again = (independent_columns(make_setting(files, seed=s)).table for s in (1, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(independent_columns(make_setting(files, seed=2)).table)


def test_lines_are_kept_and_only_what_is_missing_is_run(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, schema = map(str, files)
    words = ["--data", data, "--schema", schema, "--sites", "2", "--out", str(tmp_path / "o.jsonl")]
    methods = ["--methods", "real rows", "independent columns"]
    benchmark.main([*words, "--seeds", "0", *methods])
    first = (tmp_path / "o.jsonl").read_text()
    assert [json.loads(line)["method"] for line in first.splitlines()] == methods[1:]
    benchmark.main([*words, "--seeds", "0", "1", *methods])
    both = (tmp_path / "o.jsonl").read_text()
    assert both.startswith(first)
    assert len(both.splitlines()) == 4
    printed = capsys.readouterr()
    assert printed.err.count("seed 0:") == 2
    assert "toy, 2 sites (iid), epsilon 1, delta 1e-05" in printed.out
    assert "| independent columns | 2 |" in printed.out


@pytest.mark.slow
def test_the_settings_of_the_published_tables_can_be_made_and_are_told_apart() -> None:
    with ExitStack() as stack:
        rows = adult_rows() + other_rows(stack)
        settings = [rows[4].make_setting(0), *(row.make_setting(0) for row in rows[7:])]
    assert [(s.data, len(s.sites.tables)) for s in settings] == [
        ("adult", 4),
        ("covid", 16),
        ("airport", 3),
        ("airport", 16),
    ]
    runs = [benchmark.run_method(setting, "real rows") for setting in settings[1:]]
    assert [[row.holds(run) for row in rows[7:]] for run in runs] == np.eye(3, dtype=bool).tolist()


def test_a_line_holds_alpha_where_it_matters(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, schema = map(str, files)
    out = tmp_path / "o.jsonl"
    words = ["--data", data, "--schema", schema, "--sites", "2", "--out", str(out), "--seeds", "0"]
    skewed = [*words, "--methods", "independent columns", "--partition", "dirichlet:ward"]
    benchmark.main([*words, "--methods", "independent columns"])
    benchmark.main(skewed)
    benchmark.main([*skewed, "--alpha", "0.5"])  # what it was without being asked
    benchmark.main([*skewed, "--alpha", "2"])
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line.get("alpha", "none") for line in lines] == ["none", 0.5, 2.0]
    assert [Run.from_dict(line).to_dict() for line in lines] == lines
    printed = capsys.readouterr().out
    assert "toy, 2 sites (iid), epsilon 1" in printed
    assert "toy, 2 sites (dirichlet:ward, alpha 0.5), epsilon 1" in printed
    assert "toy, 2 sites (dirichlet:ward, alpha 2), epsilon 1" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--methods", "magic"], "methods must be some of real rows, independent columns"),
        (["--sites", "1"], "sites must be"),
        (["--epsilon", "-1"], "epsilon must be"),
        (["--delta", "0.5"], "delta must be"),
        (["--seeds", "-1"], "seed must be"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--alpha", "1"], "alpha must be left out with partition iid"),
        (["--partition", "dirichlet", "--alpha", "0"], "alpha must be"),
        (["--partition", "round-robin"], "partition must be iid, dirichlet, dirichlet:NAME or"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(
    files: tuple[Path, Path], tmp_path: Path, words: list[str], sentence: str
) -> None:
    data, schema = map(str, files)
    out = tmp_path / "o.jsonl"
    with pytest.raises(SystemExit, match=sentence):
        benchmark.main(["--data", data, "--schema", schema, "--out", str(out), *words])
    assert not out.exists()


@pytest.mark.parametrize("line", ["not json", '{"method": "x"}'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "o.jsonl").write_text(line + "\n")
    with pytest.raises(SystemExit, match="line"):
        benchmark.main(["--out", str(tmp_path / "o.jsonl")])
    assert (tmp_path / "o.jsonl").read_text() == line + "\n"


def test_a_summary_is_mean_and_spread_over_seeds_of_one_setting() -> None:
    values = dict.fromkeys(FIGURES, 0.5) | {"two_sample_auc": None}
    facts = {"data": "d", "num_sites": 2, "partition": "iid", "delta": 1e-5, "method": "m"}
    runs = [
        Run(**facts, **(values | {"two_way": 0.1 * (seed + 1)}), seed=seed, epsilon=epsilon)
        for epsilon in (3.0, 1.0)
        for seed in (0, 1)
    ]
    one, three = summarise(runs)
    assert (one.setting[3], three.setting[3], one.seeds) == (1.0, 3.0, 2)
    assert one.means["two_way"] == pytest.approx(0.15)
    assert one.spreads["two_way"] == pytest.approx(0.0707, abs=1e-4)
    assert one.means["two_sample_auc"] is None
    table = format_table(runs)
    assert "0.150 ± 0.071" in table
    assert table.count("| m | 2 |") == 2
