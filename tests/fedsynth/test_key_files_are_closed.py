"""A key file that others may read is refused, by whatever command needs it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from command_line import CommandLine
from stages import but_for

SERVER_KEYS = ("ca/ca.key", "tls/server.key", "keys/coordinator.pem", "keys/superexec.secret")
SITE_KEYS = ("keys/site.pem", "keys/node.pem", "keys/split.key")
STUDY = 'name = "flu"\nepsilon = 0.5\nnominal_rows = 60\n'


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def found_coordinator(shell: CommandLine) -> Path:
    ended = shell.run("server", "init", "lab", "--name", "lab", "--host", "localhost")
    assert ended.code == 0, ended.err
    return shell.home / "lab"


def found_site(shell: CommandLine) -> Path:
    """Found a site that knows its coordinator."""
    found_coordinator(shell)
    words = ("--name", "North", "--schema", "visits.toml", "--epsilon", "3", "--delta", "1e-5")
    where = ("--data", "visits.csv", "--coordinator", "lab/coordinator.toml")
    ended = shell.run("site", "init", "north", *words, *where)
    assert ended.code == 0, ended.err
    (shell.home / "flu.toml").write_text(STUDY, encoding="utf-8")
    return shell.home / "north"


def assert_refused(shell: CommandLine, file: Path, *words: str) -> None:
    file.chmod(0o640)
    ended = shell.run(*words)
    assert ended.code == 2, ended.err
    said = " ".join(ended.err.split())
    assert f"{file.name} must be closed to others" in said and "chmod 600" in said
    assert ended.err.count("\n") <= 6


@pytest.mark.parametrize("name", SERVER_KEYS)
def test_a_coordinator_does_not_start_with_a_key_that_others_may_read(
    shell: CommandLine, name: str
) -> None:
    folder = found_coordinator(shell)
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert_refused(shell, folder / name, "server", "start", "--server", "lab")
    assert not list((folder / "run").glob("*.pid"))


def test_a_certificate_is_not_renewed_with_a_key_that_others_may_read(shell: CommandLine) -> None:
    folder = found_coordinator(shell)
    assert_refused(shell, folder / "ca" / "ca.key", "server", "certificate", "--server", "lab")


@pytest.mark.parametrize("name", but_for(SITE_KEYS, "keys/split.key"))
def test_a_site_does_not_join_with_a_key_that_others_may_read(
    shell: CommandLine, name: str
) -> None:
    folder = found_site(shell)
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    words = ("site", "join", "flu.toml", "--site", "north", "--patience", "2")
    assert_refused(shell, folder / name, *words)


def test_no_site_is_founded_with_a_password_that_others_may_read(shell: CommandLine) -> None:
    password = shell.home / "reader.password"
    password.touch(mode=0o600)
    password.write_text("correct-horse", encoding="utf-8")
    words = ("--name", "North", "--schema", "visits.toml", "--epsilon", "3", "--delta", "1e-5")
    where = ("--data", "postgresql+psycopg://127.0.0.1:1/clinic", "--query", "SELECT 1 AS age")
    login = ("--dataset", "visits", "--user", "reader", "--password-file", str(password))
    assert_refused(shell, password, "site", "init", "north", *words, *where, *login)
    assert not (shell.home / "north").exists()


@pytest.mark.parametrize("name", ["keys/site.pem", "keys/split.key"])
def test_a_check_tells_of_a_key_that_others_may_read(shell: CommandLine, name: str) -> None:
    folder = found_site(shell)
    assert_refused(shell, folder / name, "site", "check", "flu.toml", "--site", "north")
