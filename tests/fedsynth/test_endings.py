"""However a command ends, a person reads one sentence and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine, write_inputs

from fedsynth.endings import Stopped, sentences, stop_on_signals
from privacy.errors import BudgetExceeded
from strategies.errors import StudyFailed

ROOT = Path(__file__).parents[2]
FEDSYNTH = [sys.executable, "-u", "-c", "from fedsynth.cli import main; main()"]
STOPPED = "fedsynth: stopped; nothing was written.\n"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StudyFailed("1 of at least 2 sites were online."), "1 of at least 2 sites were online."),
        (BudgetExceeded(requested=2.0, remaining=1.0), "fedsynth: "),
        (OSError(28, "No space left on device", "x"), "No space left on device (x); make room"),
        (OSError("the path of a socket is too long"), "the path of a socket is too long; make"),
        (MemoryError(), "not enough memory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stops_a_study_is_said_with_exit_code_1(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, sentences():
        raise error
    assert ended.value.code == 1
    assert said in capsys.readouterr().err


def test_a_defect_of_ours_is_not_dressed_up() -> None:
    with pytest.raises(ValueError, match="a bug"), sentences():
        raise ValueError("a bug")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_once_and_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, stop_on_signals():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), number)  # an impatient second one does not disturb the cleanup
    assert stopped.value.code == 128 + number
    assert signal.getsignal(number) == before


def test_no_place_for_working_files_is_said(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(shell.home / "nowhere"))
    before = shell.files()
    ended = shell.simulate("--out", "release")
    assert ended.code == 1
    assert "No such file or directory" in ended.err
    assert "TMPDIR" in ended.err
    assert shell.files() == before


def test_a_disk_that_fills_up_while_saving_leaves_nothing(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "synthetic.parquet")

    monkeypatch.setattr("server.release.save_generator", fail)
    before = shell.files()
    ended = shell.simulate("--out", "deep/release")
    assert ended.code == 1
    assert "No space left on device" in ended.err
    assert {k: v for k, v in shell.files().items() if "torchinductor" not in k} == before


def stop(home: Path, scratch: Path, *words: str, when: str) -> tuple[int, str]:
    """Start a long study, press Ctrl-C once ``when`` is on the screen, and say how it ended."""
    write_inputs(home)
    (home / "long.toml").write_text("rounds = 500\nfit_steps = 50\n")
    source = ["--data", "visits.csv", "--schema", "visits.toml", "--partition", "column:clinic"]
    process = subprocess.Popen(
        [*FEDSYNTH, "simulate", "long.toml", *source, "--out", "release", *words],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if when in line:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it too
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder with a short path, as Ray needs for its sockets."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["2 sites", "round 2 of 500"])
def test_ctrl_c_leaves_nothing(tmp_path: Path, scratch: Path, when: str) -> None:
    assert stop(tmp_path, scratch, when=when) == (130, STOPPED)
    assert not (tmp_path / "release").exists()
    assert not list(scratch.glob("fedsynth-*"))


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("when", ["hello", "round 1 of 500"])
def test_ctrl_c_ends_ray_too(tmp_path: Path, scratch: Path, when: str) -> None:
    pytest.importorskip("ray")
    assert stop(tmp_path, scratch, "--backend", "ray", when=when) == (130, STOPPED)
    assert not (tmp_path / "release").exists()
    assert not list(scratch.glob("fedsynth-*"))
