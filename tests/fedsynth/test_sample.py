"""``fedsynth sample`` and its Python twins: one table for a seed, into memory, parts or a file."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from command_line import CommandLine
from rich.console import Console
from stages import but_for
from tiny_world import SCHEMA, make_generator

import fedsynth
from fedsynth.sample_command import RowProgress
from synthesis import conform, read_table
from synthesis.model_files import save_generator

ROOT = Path(__file__).parents[2]
FEDSYNTH = [sys.executable, "-u", "-c", "from fedsynth.cli import main; main()"]
TWO_SHARDS = "140000"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    made = CommandLine(tmp_path, monkeypatch, capsys)
    (tmp_path / "release").mkdir()
    save_generator(tmp_path / "release", make_generator(), SCHEMA)
    return made


def sample(shell: CommandLine, out: str, *words: str, rows: str = "50") -> tuple[int, str, str]:
    ended = shell.run("sample", "release", "--rows", rows, "--out", out, *words)
    return ended.code, ended.out, ended.err


@pytest.mark.parametrize("ending", but_for([".parquet", ".csv"], ".csv"))
def test_workers_change_nothing_in_the_file(shell: CommandLine, ending: str) -> None:
    for name, workers in (("one", "1"), ("two", "2")):
        assert sample(shell, name + ending, "--workers", workers, rows=TWO_SHARDS) == (
            0,
            f"140,000 rows in {name}{ending}; this spent nothing.\n",
            "",
        )
    assert Path(f"one{ending}").read_bytes() == Path(f"two{ending}").read_bytes()
    table = conform(SCHEMA, read_table(f"one{ending}"))
    pd.testing.assert_frame_equal(table, fedsynth.sample("release", int(TWO_SHARDS)))


@pytest.mark.slow
@pytest.mark.alone
def test_ray_changes_nothing_in_the_file(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    save_generator(tmp_path, make_generator(), SCHEMA)
    fedsynth.write_sample(tmp_path, 300_000, tmp_path / "local.parquet")
    with tempfile.TemporaryDirectory() as scratch:  # a short path, as Ray needs for its sockets
        done = subprocess.run(
            [*FEDSYNTH, *"sample . --rows 300000 --out ray.parquet --engine ray".split()],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": scratch, "RAY_ADDRESS": "local"},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"No Ray cluster was found; a Ray with \d+ processors", done.stdout)
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.alone
def test_a_cluster_that_was_started_here_is_joined_without_its_address(tmp_path: Path) -> None:
    """Ray listens on every network, so the cluster has one of its own, of loopback alone."""
    pytest.importorskip("ray")
    alone = "unshare --net --pid --fork --mount-proc --kill-child sh -ec".split()
    if shutil.which("unshare") is None or subprocess.run([*alone, "ip link set lo up"]).returncode:
        pytest.skip("needs leave to make namespaces, and iproute2")
    save_generator(tmp_path, make_generator(), SCHEMA)
    fedsynth.write_sample(tmp_path, 300_000, tmp_path / "local.parquet")
    start = "-m ray.scripts.scripts start --head --port=0 --num-cpus=2 --disable-usage-stats"
    start += " --include-dashboard=false --object-store-memory=100000000"
    draw = "sample . --rows 300000 --out ray.parquet --engine ray"
    script = f"ip link set lo up; {sys.executable} {start} >&2; {shlex.join(FEDSYNTH)} {draw}"
    with tempfile.TemporaryDirectory() as scratch:  # a short path, as Ray needs for its sockets
        surroundings = {name: os.environ[name] for name in os.environ if name != "RAY_ADDRESS"}
        done = subprocess.run(
            [*alone, script],
            cwd=tmp_path,
            env=surroundings | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": scratch},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert re.match(r"The Ray cluster at [\d.:]+, of 2 processors, draws\.", done.stdout)
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()


def test_missing_ray_is_one_sentence(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    before = shell.files()
    code, out, err = sample(shell, "a.csv", "--engine", "ray")
    assert (code, out) == (2, "")
    assert "install 'fedsynth[ray]' or use engine 'local'" in err
    assert shell.files() == before


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "ray://127.0.0.1:1"])
def test_a_cluster_that_does_not_answer_is_one_sentence(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    code, out, err = sample(shell, "a.csv", "--engine", "ray")
    assert (code, out) == (2, "")
    assert f"nothing answers at {address!r}" in err
    assert "unset RAY_ADDRESS" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--engine", "spark"], "engine must be local or ray, got 'spark'"),
        (["--where", "age<0.5", "--where", "age>0.2"], "cannot be met: no row can satisfy it"),
    ],
)
def test_wishes_that_cannot_be_met_leave_nothing(
    shell: CommandLine, words: list[str], said: str
) -> None:
    before = shell.files()
    code, out, err = sample(shell, "a.csv", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert shell.files() == before


@pytest.mark.parametrize("out", ["taken.csv", "none/a.csv", "a.txt"])
def test_files_that_cannot_be_made_are_refused(shell: CommandLine, out: str) -> None:
    (shell.home / "taken.csv").write_text("mine")
    before = shell.files()
    assert sample(shell, out)[0] == 2
    assert shell.files() == before


def test_the_answer_says_how_rare_the_conditions_are(shell: CommandLine) -> None:
    code, out, _ = sample(shell, "a.csv", "--where", "outcome=ill", "--where", "age<20")
    assert code == 0
    found = re.search(r"where outcome=ill and age<20 \(([\d.]+) % of the generator's rows\)", out)
    assert found is not None
    table = fedsynth.sample("release", 100_000)
    share = ((table["outcome"] == "ill") & (table["age"] < 20)).mean()
    assert float(found.group(1)) == pytest.approx(100 * share, rel=0.05)


def test_python_gives_the_same_rows_in_three_ways(shell: CommandLine) -> None:
    wanted = {"where": ["age>=10"], "seed": 3}
    table = fedsynth.sample("release", 300, **wanted)
    (batch,) = fedsynth.sample_batches("release", 300, **wanted)
    told: list[int] = []
    probability = fedsynth.write_sample(
        "release", 300, "rows.parquet", on_rows=told.append, **wanted
    )
    assert told == [300]
    assert 0 < probability < 1
    pd.testing.assert_frame_equal(batch, table)
    pd.testing.assert_frame_equal(read_table("rows.parquet"), table)
    assert fedsynth.write_sample("release", 1, "one.csv.gz") == pytest.approx(1)
    assert len(read_table("one.csv.gz")) == 1


def test_a_terminal_shows_a_bar_and_other_places_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("fedsynth.sample_command.monotonic", lambda: now[0])
    plain, lines = Console(width=80), []
    monkeypatch.setattr("fedsynth.sample_command.say", lambda _, line: lines.append(line))
    with RowProgress(plain) as progress:
        progress.expect(4_000_000)
        for second, rows in ((29, 1_000_000), (31, 2_000_000), (40, 3_000_000), (99, 4_000_000)):
            now[0] = second
            progress(rows)
    assert lines == ["  2,000,000 of 4,000,000 rows, 31 s"]
    terminal = Console(width=80, force_terminal=True, record=True, file=io.StringIO())
    with RowProgress(terminal) as progress:
        progress.expect(10_000_000)
        progress(1_966_080)
    assert "1,966,080 of 10,000,000 rows" in terminal.export_text()
    assert max(map(len, terminal.export_text().splitlines()), default=0) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_leaves_nothing(shell: CommandLine, workers: str) -> None:
    words = ["sample", "release", "--rows", "400000000", "--out", "big.csv", "--workers", workers]
    process = subprocess.Popen(
        [*FEDSYNTH, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not any(path.stat().st_size > 1e6 for path in shell.home.glob(".big.csv.*")):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it too
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "fedsynth: stopped; nothing was written.\n")
    assert not [path for path in shell.home.iterdir() if "big" in path.name]


def test_parquet_has_a_row_group_for_every_shard(shell: CommandLine) -> None:
    fedsynth.write_sample("release", 140_000, "rows.parquet")
    metadata = pq.ParquetFile("rows.parquet").metadata
    rows = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    assert rows == [131_072, 8_928]
