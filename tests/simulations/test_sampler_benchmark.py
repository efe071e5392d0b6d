"""The benchmark of the sampler, and the bound that it holds."""

from __future__ import annotations

import json
from time import process_time

import pytest

from simulations.benchmarks.sampler import measure_ratio
from simulations.benchmarks.sampler.__main__ import main


@pytest.mark.slow
def test_drawing_takes_less_than_the_networks_would() -> None:
    """About a third where this was written, so a slip to ten times as much is caught."""
    assert measure_ratio(1 << 16, repeats=3, summary=min, clock=process_time) < 1


@pytest.mark.slow
def test_one_line_tells_all(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rows", "3000", "--ratio-rows", "2000"])
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert list(told) == [
        *("rows", "seconds", "processor_seconds", "rows_per_second", "ratio", "ratio_rows"),
        *("peak_mib", "workers", "workers_speed_up"),
    ]
    assert told["rows"] == 3000
    assert 50 < told["peak_mib"] < 1024
    assert min(told["seconds"], told["ratio"], told["workers_speed_up"]) > 0
