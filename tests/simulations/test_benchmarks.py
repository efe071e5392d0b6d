"""The costs of a ledger and of starting: the programs run, and the limits are kept."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from simulations.benchmarks import ledger, startup


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
def test_a_ledger_of_ten_thousand_events_keeps_the_limits() -> None:
    """By the clock as well, unless so much else is running that the clock says nothing."""
    with tempfile.TemporaryDirectory() as folder:  # on a disk, where tmp_path may lie in memory
        timings = ledger.measure_all(Path(folder))
    assert not [timing for timing in timings if timing.processor_s > timing.limit_s]
    if os.getloadavg()[0] <= (os.cpu_count() or 1):
        assert not [timing for timing in timings if timing.wall_s > timing.limit_s]


@pytest.mark.slow
def test_a_start_that_takes_ten_times_as_long_is_found(tmp_path: Path) -> None:
    """Loose bounds, in processor time and in starts of Python, for busy machines too."""
    found = startup.measure_all(tmp_path, repeats=1)
    used = {name: timing["processor_s"] for name, timing in found.items()}
    assert used["fedsynth --help"] < min(4.0, 40 * used["python -c pass"])
    assert used["fedsynth --version"] < 4.0
    assert used["fedsynth plan"] < 10.0
    assert all(timing["wall_s"] > 0 for timing in found.values())


def test_starts_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    timing = {"wall_s": 0.2, "processor_s": 0.1}
    monkeypatch.setattr(startup, "measure_all", lambda folder: {"fedsynth --help": timing})
    startup.main()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert json.loads(said) == {"fedsynth --help": timing}
