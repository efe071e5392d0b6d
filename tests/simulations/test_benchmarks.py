"""The ledger's costs: the program runs, and at full size it keeps the limits."""

import os
from pathlib import Path

import pytest

from simulations.benchmarks import ledger


def test_a_small_ledger_is_measured(tmp_path: Path) -> None:
    timings = ledger.measure_all(tmp_path, events=20, replayed=3, repeats=1)
    assert [timing.limit_s for timing in timings] == [0.02, 0.02, 5.0, 10.0]
    assert all(timing.wall_s > 0 for timing in timings)


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_a_missed_limit_is_told(
    limit: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ledger.Timing(what="reserve", wall_s=0.5, processor_s=0.1, limit_s=limit)
    monkeypatch.setattr(ledger, "measure_all", lambda folder: [one])
    with pytest.raises(SystemExit) as ended:
        ledger.main()
    assert bool(ended.value.code) == (limit == 0)
    assert "500.0 ms" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.alone
def test_a_ledger_of_ten_thousand_events_keeps_the_limits(tmp_path: Path) -> None:
    """By the clock as well, unless so much else is running that the clock says nothing."""
    timings = ledger.measure_all(tmp_path)
    assert not [timing for timing in timings if timing.processor_s > timing.limit_s]
    if os.getloadavg()[0] <= (os.cpu_count() or 1):
        assert not [timing for timing in timings if timing.wall_s > timing.limit_s]
