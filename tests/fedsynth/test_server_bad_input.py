"""What ``fedsynth server run`` refuses before anybody is asked, and where a coordinator listens."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine

from server.deploy.folder import load_server
from server.deploy.proxy import render_nginx


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


def test_a_target_that_cannot_be_used_is_refused_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    (shell.home / "target.toml").write_text('[[margins]]\ncolumn = "town"\nshares = { a = 1 }\n')
    words = ["server", "run", "tiny.toml", "--schema", "visits.toml", "--target", "target.toml"]
    before = shell.files()
    ended = shell.run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("fedsynth: target: the schema has no column 'town'; it has ")
    assert ended.err.count("\n") == 1
    assert shell.files() == before


def test_a_coordinator_listens_where_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    words = ("--name", "lab", "--host", "localhost")
    for folder, more, listen in (
        ("lab", (), "0.0.0.0"),
        ("trial", ("--listen", "127.0.0.1"), "127.0.0.1"),
    ):
        assert shell.run("server", "init", folder, *words, *more).code == 0
        assert load_server(shell.home / folder).config.listen == listen
        nginx = render_nginx(load_server(shell.home / folder))
        assert f"listen {listen}:8443" in nginx
