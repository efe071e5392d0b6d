"""What ``fedsynth server run`` refuses before anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_a_grace_that_is_no_time_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: str,
) -> None:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    words = ["server", "run", "study.toml", "--schema", "schema.toml", "--grace", seconds]
    ended = shell.run(*words)
    assert ended.code == 2
    assert "grace must be at least 0 seconds" in ended.err
