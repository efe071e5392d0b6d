"""A study over TLS, from nothing to a release, by commands alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from federation import federation

from server.report import report_from_json

pytestmark = [pytest.mark.slow, pytest.mark.waits]


def test_two_sites_and_a_coordinator_end_a_study(tmp_path: Path) -> None:
    with federation(tmp_path) as lab:
        study = lab.write_study("first")
        joined = {name: lab.join(name, study) for name in ("north", "south") if lab.add_site(name)}
        run = lab.run(study)
        assert lab.end(run) == 0, lab.said("first.out")
        assert [lab.end(process) for process in joined.values()] == [0, 0]
        report = report_from_json((lab.release("first") / "report.json").read_text())
        assert [site.name for site in report.sites] == ["north", "south"]
        for name in joined:
            receipt = lab.release("first") / "receipts" / f"{name}.txt"
            lab.cli("audit", "ledger", f"{name}/ledger.sqlite", "--receipt", receipt)
        closed = [event for event in lab.events("first") if event["event"] == "study-closed"]
        assert [event["told"] for event in closed] == [["north", "south"]]
