"""One bad site of several: a cheap version of the table of docs/strategies.md."""

from __future__ import annotations

import json

import pytest

from simulations.benchmarks import robustness
from simulations.benchmarks.robustness import NONE, Bench
from simulations.benchmarks.robustness import __main__ as benchmark
from simulations.demos import load_demo
from simulations.sites import SimulatedSites

QUICK = {"epsilon": 10.0, "rounds": 1, "discriminator_steps": 2, "generator_steps": 2}


@pytest.fixture(scope="module")
def bench() -> Bench:
    demo = load_demo("adult")
    tables = tuple(demo.train.iloc[400 * i : 400 * (i + 1)].reset_index() for i in range(5))
    sites = SimulatedSites(
        schema=demo.schema,
        names=("a", "b", "c", "d", "e"),
        tables=tuple(table[list(demo.schema.names)] for table in tables),
        held=(demo.test.iloc[:500],),
    )
    return Bench(sites=sites, seed=0, settings=QUICK | {"fit_steps": 20})


@pytest.mark.slow
def test_random_weights_break_the_average_and_not_the_median(bench: Bench) -> None:
    honest, spoilt, stood = (
        bench.run(attack, strategy)
        for attack, strategy in (
            (NONE, "fedavg"),
            ("random weights", "fedavg"),
            ("random weights", "median"),
        )
    )
    assert spoilt.two_way > 1.3 * honest.two_way
    assert stood.two_way < 1.2 * honest.two_way
    assert (honest.named, stood.named, stood.rounds) == (None, (), 1)


@pytest.mark.slow
def test_a_line_is_printed_for_every_study(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(robustness.Bench, "of_census", lambda **given: bench)
    benchmark.main(["--attacks", "two-faced", "--strategies", "multi-krum", "--seed", "0"])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["strategy"] == "multi-krum"
