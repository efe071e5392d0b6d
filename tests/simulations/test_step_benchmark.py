"""The cost of a private step: the program tells it, and a slip of several times is caught."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from simulations.benchmarks.step import Scene, __main__, measure_memory, measure_time

# Loose: far above what is measured, far below what Opacus' own ways to clip take.
TABULAR_BOUND, CONVOLUTIONAL_BOUND, MEMORY_BOUND = 6.0, 6.0, 3.0


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("scene", "bound"),
    [
        (Scene(network="tabular", rows=256), TABULAR_BOUND),
        (Scene(network="tabular", rows=1024), TABULAR_BOUND),
        (Scene(network="convolutional", rows=64), CONVOLUTIONAL_BOUND),
    ],
)
def test_a_private_step_costs_little_more_than_a_plain_one(scene: Scene, bound: float) -> None:
    names = ("ours", "ours_without_noise")
    found = measure_time(scene, names, repeats=3, steps=4)
    assert set(found) == set(names)
    assert all(0 < ratio < bound for ratio in found.values())


@pytest.mark.slow  # starts programs
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak as Linux tells it")
def test_a_private_step_needs_little_more_memory_than_a_plain_one() -> None:
    found = measure_memory(Scene(network="convolutional", rows=256), ["ours"])
    assert 0.2 < found["ours"] < MEMORY_BOUND


def test_the_program_prints_one_line_of_ratios(monkeypatch, capsys) -> None:
    monkeypatch.setattr(__main__, "SCENES", (Scene(network="tabular", rows=8),))
    monkeypatch.setattr(__main__, "MEMORY_SCENES", ())
    __main__.main(repeats=1, steps=1)
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["plain"] == 1
    names = {"ours", "ours_without_noise", "opacus_ghost", "opacus_hooks"}
    assert set(found["tabular_8"]) == names
