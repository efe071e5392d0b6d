"""Every command explains itself on a screen of 80 columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["simulate"],
        ["plan"],
        ["sample"],
        ["verify"],
        ["schema"],
        ["schema", "draft"],
        ["schema", "check"],
        ["audit"],
        ["audit", "ledger"],
        ["audit", "rehearse"],
        ["audit", "rows"],
        ["audit", "step"],
        ["keys"],
        ["keys", "new"],
        ["server"],
        ["server", "init"],
        ["server", "certificate"],
        ["server", "admit"],
        ["server", "revoke"],
        ["server", "sites"],
        ["server", "start"],
        ["server", "stop"],
        ["server", "status"],
        ["site"],
        ["site", "init"],
        ["site", "check"],
        ["site", "join"],
        ["site", "status"],
        ["site", "ledger"],
        ["site", "ledger", "show"],
        ["site", "ledger", "verify"],
        ["site", "ledger", "export"],
        ["site", "ledger", "gauge"],
        ["site", "policy"],
        ["site", "policy", "show"],
        ["site", "policy", "request"],
        ["site", "policy", "approve"],
        ["site", "policy", "accept"],
    ],
)
def test_every_command_has_help_that_fits_the_screen(shell: CommandLine, words: list[str]) -> None:
    ended = shell.run(*words, "--help")
    assert ended.code == 0
    assert "Usage: fedsynth" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_the_version_names_what_must_agree_between_sites_and_coordinator(
    shell: CommandLine,
) -> None:
    ended = shell.run("--version")
    assert ended.code == 0
    assert re.fullmatch(r"fedsynth \S+ \(flwr 1\.41\.\d+, Python 3\.\d+\.\d+\S*\)\n", ended.out)
