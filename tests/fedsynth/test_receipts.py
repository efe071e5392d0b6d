"""The receipts of a release, its report and its ledgers belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine

from privacy import PublicKey, Receipt, replay_ledger


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def test_a_reader_can_hold_the_ledgers_to_the_receipts(shell: CommandLine) -> None:
    shell.simulate("--out", "release")
    release = shell.home / "release"
    report = json.loads((release / "report.json").read_text())
    assert {path.name for path in (release / "receipts").iterdir()} == {"a.txt", "b.txt"}
    for number, site in enumerate(report["sites"], start=1):
        text = (release / "receipts" / f"{site['name']}.txt").read_text()
        assert text == site["receipt"]["text"] + "\n"
        ledger = release / "sites" / f"site-{number}" / "ledger.sqlite"
        key = PublicKey(site["receipt"]["public_key"])
        summary = replay_ledger(ledger, public_key=key, receipts=[Receipt.from_text(text)])
        assert summary.head == site["receipt"]["head"]
