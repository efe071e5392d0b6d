"""The benchmark of strategies: rows are dealt as said, fits are shared honestly, calls go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import SCHEMA

from privacy import Budget
from server import fitting
from server.checkpoint import Checkpoint
from simulations.benchmarks.strategies import (
    PARTITIONS,
    STRATEGIES,
    Case,
    Figures,
    Fits,
    Line,
    Source,
    deal,
    format_tables,
    make_rows,
    read_lines,
)
from simulations.benchmarks.strategies import __main__ as benchmark
from simulations.benchmarks.strategies.methods import settings_of
from simulations.benchmarks.tabular import Setting
from simulations.settings import SimulationSettings
from simulations.sites import make_sites
from strategies.rules import RULES
from synthesis import InputError
from synthesis.schema import load_schema

DOCS = Path(__file__).parents[2] / "docs"
QUICK = {"fit_steps": 10, "rounds": 1, "discriminator_steps": 2, "generator_steps": 2}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    rng = np.random.default_rng(0)
    age = rng.integers(0, 100, 500)
    table = pd.DataFrame(
        {
            "age": age,
            "ward": np.array(["east", "west", "north"])[age // 10 % 3],
            "sick": np.where(age + rng.normal(0, 10, 500) > 55, "yes", "no"),
        }
    )
    (tmp_path / "toy.toml").write_text(SCHEMA)
    return Source(
        name="toy",
        schema=load_schema(tmp_path / "toy.toml"),
        train=table[:400],
        test=table[400:].reset_index(drop=True),
        skewed="ward",
        grouped="ward",
        groups={"inner": ("east", "north"), "outer": ("west",)},
    )


@pytest.fixture
def count_fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grow by one entry with every fit."""
    made: list[int] = []
    fit: Callable[..., object] = fitting.fit_groups

    def counted(*args: object, **more: object) -> object:
        made.append(1)
        return fit(*args, **more)

    monkeypatch.setattr(fitting, "fit_groups", counted)
    return made


def make_setting(source: Source, *, seed: int = 0, sites: int = 2) -> Setting:
    return Setting(
        data="toy",
        sites=deal(source, "iid", num_sites=sites, seed=seed),
        partition="iid",
        budget=Budget(epsilon=3.0, delta=1e-5),
        seed=seed,
        study=QUICK,
    )


def make_line(strategy: str, partition: str, seed: int, auc: float | None) -> Line:
    setting = {"data": "toy", "sites": 4, "epsilon": 1.0, "delta": 1e-5}
    case = Case(**setting, seed=seed, partition=partition, strategy=strategy)
    values = dict.fromkeys((each.name for each in fields(Figures)), 0.5)
    given = {"auc": auc, "two_sample_auc": None, "megabytes_up": 1.25, "commit": "abc"}
    figures = Figures(**(values | given))
    return Line(case=case, figures=figures)


@pytest.mark.parametrize(
    ("partition", "simulation"),
    [
        ("iid", {"sites": 4}),
        ("dirichlet-0.5", {"partition": "dirichlet:occupation", "alpha": 0.5, "sites": 4}),
        ("dirichlet-0.1", {"partition": "dirichlet:occupation", "alpha": 0.1, "sites": 4}),
        ("sizes", {"partition": "sizes:70,20,8,2"}),
    ],
)
def test_rows_are_dealt_as_a_simulation_deals_them(
    partition: str, simulation: dict[str, object]
) -> None:
    dealt = deal(Source.of_census(), partition, num_sites=4, seed=3)
    usual = make_sites(SimulationSettings.model_validate(simulation | {"seed": 3}))
    assert dealt.names == usual.names
    for mine, theirs in zip(dealt.tables, usual.tables, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    pd.testing.assert_frame_equal(dealt.test, usual.test)


@pytest.mark.parametrize("sites", [4, 16])
def test_groups_of_the_census_share_all_rows_by_education_alone(sites: int) -> None:
    dealt = deal(source := Source.of_census(), "groups", num_sites=sites, seed=0)
    assert sum(map(len, dealt.tables)) == len(source.train)
    levels = [set(table["education"]) for table in dealt.tables]
    assert (len(levels), sum(map(len, levels))) == (sites, 16)
    assert set.union(*levels) == set(source.train["education"])


def test_of_more_than_four_sites_equally_many_have_each_size(source: Source) -> None:
    dealt = deal(source, "sizes", num_sites=8, seed=0)
    assert [len(table) for table in dealt.tables] == [140, 140, 40, 40, 16, 16, 4, 4]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_partition_deals_every_row_once(source: Source, partition: str) -> None:
    sites = 2 if partition == "groups" else 4
    dealt = deal(source, partition, num_sites=sites, seed=0)
    assert len(dealt.tables) == len(dealt.names) == sites
    assert sorted(dealt.train["age"]) == sorted(source.train["age"])


@pytest.mark.parametrize(
    ("partition", "sites", "sentence"),
    [
        ("magic", 4, "partitions must be some of iid, "),
        ("sizes", 6, "sites must be a multiple of 4 .* got 6"),
        ("groups", 5, "sites must be 2 or 3 .* got 5"),
    ],
)
def test_a_partition_that_cannot_be_is_refused(
    source: Source, partition: str, sites: int, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        deal(source, partition, num_sites=sites, seed=0)


@pytest.mark.slow
def test_usual_strategies_share_their_fit_and_no_row_changes_by_it(
    source: Source, tmp_path: Path, count_fits: list[int]
) -> None:
    setting, shared = make_setting(source), Fits(folder=tmp_path / "shared", code="a")
    made = {strategy: make_rows(setting, strategy, shared) for strategy in STRATEGIES}
    assert len(count_fits) == 2  # the sketch alone has the whole budget, and so less noise
    assert {len(each.table) for each in made.values()} == {400}
    for strategy in ("mdgan", "fedprox"):
        here, apart = made[strategy], make_rows(setting, strategy, Fits(folder=tmp_path, code="a"))
        assert len(count_fits) == 3
        pd.testing.assert_frame_equal(here.table, apart.table)
        assert 0 < here.sent_by_sites == apart.sent_by_sites < here.sent_bytes
    assert made["each site alone"].sent_bytes == 0


def test_the_time_of_a_shared_fit_is_counted(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, fits = make_setting(source), Fits(folder=tmp_path, code="a")
    make_rows(setting, "fedavg", fits)
    (weights, _) = next(filter(None, (Checkpoint(f).find_fit() for f in tmp_path.iterdir())))
    monkeypatch.setattr(Checkpoint, "find_fit", lambda self: (weights, 1000.0))
    assert 1000 < make_rows(setting, "mdgan", fits).processor_s < 2000


@pytest.mark.slow
def test_a_fit_is_shared_with_the_same_sketches_and_code_alone(
    source: Source, tmp_path: Path, count_fits: list[int]
) -> None:
    setting, fits = make_setting(source), Fits(folder=tmp_path, code="a")
    make_rows(setting, "fedavg", fits)
    others = [
        (make_setting(source, seed=1), "fedavg", fits),
        (replace(setting, study=dict(setting.study) | {"fit_steps": 11}), "fedavg", fits),
        (make_setting(source, sites=3), "median", fits),  # no sum of sketches
        (setting, "fedavg", replace(fits, code="b")),
    ]
    for number, other in enumerate(others, start=2):
        make_rows(*other)
        assert len(count_fits) == number
    make_rows(setting, "fedyogi", fits)
    assert len(count_fits) == len(others) + 1


@pytest.mark.parametrize("name", [*RULES, "fedprox"])
def test_every_rule_has_rounds_and_one_group_is_the_only_other_thing(name: str) -> None:
    content = settings_of(name, 7)
    assert content["adversarial_share"] > 0
    assert content["strategy"] == ("fedavg" if name == "fedprox" else name)
    assert (content.get("bad_sites") == 1) == ("bad_sites" in content)
    assert settings_of(f"{name}, one group", 7) == content | {"max_site_groups": 1}
    assert ("proximal" in content) == (name == "fedprox")


@pytest.mark.slow
def test_a_call_runs_what_the_file_lacks_and_no_more(
    source: Source, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.jsonl"
    words = ["--out", str(out), "--sites", "2", "--epsilon", "3"]
    some = [*words, "--partitions", "iid", "--strategies", "sketch alone", "fedavg"]
    benchmark.main([*some, "--seeds", "0"], source=source, study=QUICK)
    first = out.read_text()
    assert [json.loads(line)["strategy"] for line in first.splitlines()] == some[-2:]
    assert "1 of 2: 2 sites, epsilon 3, seed 0, iid: sketch alone" in capsys.readouterr().err
    out.write_text(first + first[:20])  # as if somebody had killed it
    benchmark.main([*some, "--seeds", "0", "1"], source=source, study=QUICK)
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["1 of 2", "2 of 2"]
    assert all("seed 1" in line for line in said)
    lines = read_lines(out)
    assert out.read_text().startswith(first)
    assert [line.case.seed for line in lines] == [0, 0, 1, 1]
    assert all(line.figures.commit and line.figures.processor_s > 0 for line in lines)
    assert lines[0].figures.megabytes_up < lines[1].figures.megabytes_up
    benchmark.main(["--out", str(out), "--table"])
    assert "| fedavg | " in capsys.readouterr().out
    assert read_lines(out) == lines


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strategies", "magic"], "strategies must be some of each site alone, sketch alone"),
        (["--strategies", "each site alone, one group"], "strategies must be some of"),
        (["--strategies", "median", "--sites", "2"], "minimum_sites must be at least 3"),
        (["--partitions", "magic"], "partitions must be some of"),
        (["--sites", "1", "--partitions", "iid"], "sites must be"),
        (["--epsilon", "-1"], "epsilon must be"),
        (["--seeds", "0", "-1"], "seed must be"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(
    source: Source, tmp_path: Path, words: list[str], sentence: str
) -> None:
    out = tmp_path / "o.jsonl"
    with pytest.raises(SystemExit, match=sentence):
        benchmark.main(["--out", str(out), "--sites", "4", *words], source=source)
    assert not out.exists()


@pytest.mark.parametrize("text", ["not json\n", '{"strategy": "x"}\n', "[1]\n", "3\n"])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (out := tmp_path / "o.jsonl").write_text(text)
    with pytest.raises(SystemExit, match="must hold"):
        benchmark.main(["--out", str(out), "--table"])
    assert out.read_text() == text


def test_fits_of_code_that_no_commit_names_are_not_kept() -> None:
    keep, passing = Path("kept"), Path("passing")
    several = [("a1", keep), ("a1", None), ("a1-dirty", keep), ("unknown", keep)]
    found = [benchmark.find_fits(*each, passing).folder for each in several]
    assert found == [keep, passing, passing, passing]


def test_the_published_tables_are_those_of_the_published_lines() -> None:
    lines = read_lines(DOCS / "data" / "strategies.jsonl")
    assert len({line.case for line in lines}) == len(lines) > 0
    assert format_tables(lines) in (DOCS / "strategies.md").read_text(encoding="utf-8")


def test_a_line_comes_back_as_it_was() -> None:
    content = json.dumps(make_line("fedavg", "iid", 0, None).to_dict())
    assert Line.from_dict(json.loads(content)) == make_line("fedavg", "iid", 0, None)


def test_tables_hold_mean_spread_and_number_of_runs() -> None:
    lines = [make_line("mdgan", "iid", seed, auc) for seed, auc in enumerate((0.9, 0.8))]
    lines += [make_line("sketch alone", p, 0, 0.8 + n / 100) for n, p in enumerate(PARTITIONS)]
    lines.append(make_line("krum", "sizes", 0, None))
    lines.append(replace(lines[0], case=replace(lines[0].case, epsilon=10.0)))
    text = format_tables(lines)
    at_one = text[: text.index("epsilon 10,", text.index("epsilon 1,"))].splitlines()
    start = at_one.index(f"| AUC of boosting | {' | '.join(PARTITIONS)} | mean |")
    assert at_one[start + 2] == (
        "| sketch alone | 0.8000 (1) | 0.8100 (1) | 0.8200 (1) | 0.8300 (1) | 0.8400 (1) | 0.8200 |"
    )
    assert at_one[start + 3] == "| mdgan | 0.8500 ± 0.0707 (2) | - | - | - | - | - |"
    assert at_one[start + 4] == "| krum | - | - | - | - | - | - |"
    assert "| mdgan | 1.25 ± 0.00 (2) |" in text
    assert format_tables([]) == ""
