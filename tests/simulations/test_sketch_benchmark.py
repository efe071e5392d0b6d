"""The benchmark of a site's sketch runs, and holds what would show that reading became slow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from postgres import ADMIN, ADMIN_PASSWORD, postgres_server
from stages import but_for

from simulations.benchmarks.sketch import (
    ENDINGS,
    measure,
    measure_apart,
    measure_fits,
    write_rows,
)
from simulations.benchmarks.sketch import (
    __main__ as benchmark,
)

MOST_RATIO = {"parquet": 12.0, "csv": 20.0}
"""Measured: about 2 and 4. Reading every cell by itself took ten times as much."""
BYTES_PER_ROW = 2 * 13
MIB = 2**20


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_holds_the_rows_asked_for(tmp_path: Path, ending: str) -> None:
    write_rows(tmp_path / f"t.{ending}", 300)
    figures = measure(tmp_path / f"t.{ending}", hold_out=0.2)
    assert figures.rows == 300
    assert min(figures.seconds, figures.peak_mib) > 0


@pytest.mark.parametrize("ending", but_for(MOST_RATIO, "parquet"))
def test_a_tenfold_slip_is_caught(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    write_rows(path, 150_000)
    assert measure(path, repeats=3).ratio < MOST_RATIO[ending]


@pytest.mark.slow
def test_one_line_of_json_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--rows", "200", "--format", "csv"])
    (line,) = capsys.readouterr().out.splitlines()
    assert {"rows", "seconds", "rows_per_second", "peak_mib", "ratio"} <= set(json.loads(line))


@pytest.mark.slow  # starts a server
def test_rows_in_a_database_are_counted_and_leave_nothing_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_server() as server:
        monkeypatch.setenv("PGUSER", ADMIN)
        monkeypatch.setenv("PGPASSWORD", ADMIN_PASSWORD)
        benchmark.main(["--rows", "300", "--url", f"postgresql://127.0.0.1:{server.port}/clinic"])
        with server.connect() as connection:
            found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert found.fetchall() == [(0,)]
    figures = json.loads(capsys.readouterr().out)
    assert figures["format"] == "postgresql" and figures["rows"] == 300


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="path must end in one of parquet, csv, sqlite"):
        write_rows(tmp_path / "t.txt", 1)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("ending", MOST_RATIO)
def test_memory_grows_by_the_codes_alone(tmp_path: Path, ending: str) -> None:
    peaks = []
    for rows in (500_000, 2_000_000):
        write_rows(tmp_path / f"{rows}.{ending}", rows)
        peaks.append(measure_apart(tmp_path / f"{rows}.{ending}").peak_mib)
    codes_mib = 1_500_000 * BYTES_PER_ROW / MIB
    assert peaks[1] - peaks[0] < 1.25 * codes_mib + 50  # the numbers of units, and a margin


@pytest.mark.slow
@pytest.mark.alone
def test_a_fit_takes_no_longer_for_more_rows_or_sites() -> None:
    figures = measure_fits([(10**4, 1), (10**7, 1), (10**4, 1000), (10**7, 1000)], repeats=3)
    taken = [each.processor_seconds for each in figures]
    assert {each.steps for each in figures} == {40}
    assert max(taken) < 2 * min(taken)
