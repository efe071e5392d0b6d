"""Canaries between machines: planted by one of two sites, opened, and audited by a reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from federation import federation

from fedsynth import audit_study
from server.attestation import verify_release

pytestmark = [pytest.mark.slow, pytest.mark.long]


def test_a_site_that_plants_canaries_is_audited_and_the_other_is_not_asked(tmp_path: Path) -> None:
    with federation(tmp_path) as lab:
        lab.add_site("north", canaries=100)
        lab.add_site("south")
        study = lab.write_study("flu")
        assert "query.open" in lab.cli("site", "check", study, "--site", "north")
        assert "query.open" not in lab.cli("site", "check", study, "--site", "south")
        joined = [lab.join(site, study) for site in ("north", "south")]
        assert lab.end(lab.run(study)) == 0, lab.said("flu.out")
        assert [lab.end(process) for process in joined] == [0, 0]
        asked = {site: [kind for kind, _ in lab.questions(site, "flu")] for site in lab.sites}
        assert asked["north"][-2:] == ["query.open", "query.close"]
        assert "query.open" not in asked["south"]
        audit, verdict = audit_study(lab.release("flu")), verify_release(lab.release("flu"))
    assert verdict.holds, verdict.summarise()
    assert [(site["site"], site["canaries"]) for site in audit.sites] == [("north", 100)]
    assert audit.sites[0]["right"] is not None
    report = json.loads((lab.release("flu") / "report.json").read_text())
    assert report["audit"]["sites"][0]["commitment"] == audit.sites[0]["commitment"]
