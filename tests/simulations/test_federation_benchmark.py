"""The federation beside its training: cheap versions of the figures of docs/performance.md."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simulations.benchmarks.federation import __main__ as benchmark
from simulations.benchmarks.federation import fit_line, measure_growth, measure_overhead
from strategies.wire_field import WireFormat


@pytest.mark.slow
def test_rounds_take_little_beside_training_and_send_little_beside_weights() -> None:
    """Of a round 3 % are overhead, and 15 % are what is asked; a busy machine has its say too."""
    found = measure_overhead(rounds=2)
    assert 0 < found.share < 0.3
    assert 1.0 <= found.wire < 1.05
    assert 1.0 <= found.first_wire < 1.05
    assert found.round_s > 0


@pytest.mark.slow
@pytest.mark.long
def test_in_eight_bits_a_round_sends_half() -> None:
    in_eight_bits = measure_overhead(rounds=2, wire_format=WireFormat.INT8)
    assert 0.51 < in_eight_bits.wire < 0.53


@pytest.mark.slow
@pytest.mark.parametrize("times", [3, pytest.param(6, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_sites_and_time_grows_in_proportion(times: int) -> None:
    found = measure_growth([4, 4 * times])
    assert found.peak_mib[1] < 1.05 * found.peak_mib[0]
    assert found.seconds[1] < 2 * times * found.seconds[0]


def test_a_line_is_found_and_told_how_far_it_is_off() -> None:
    line = fit_line([4, 16, 64], [3.0, 9.0, 33.0])
    assert (line.start_s, line.site_s) == (pytest.approx(1.0), pytest.approx(0.5))
    np.testing.assert_allclose(line.residuals, 0, atol=1e-9)
    bent = fit_line([4, 16, 64], [3.0, 9.0, 66.0])
    assert max(map(abs, bent.residuals)) > 0.1


def test_the_command_prints_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"share": 0.1}
    monkeypatch.setattr(benchmark, "asdict", dict)
    monkeypatch.setattr(benchmark, "measure_overhead", lambda rounds: line)
    monkeypatch.setattr(benchmark, "measure_growth", lambda sites: {"sites": sites})
    benchmark.main(["--no-ray", "--sites", "4", "8"])
    (printed,) = capsys.readouterr().out.splitlines()
    assert json.loads(printed) == {"overhead": line, "growth": {"sites": [4, 8]}}
