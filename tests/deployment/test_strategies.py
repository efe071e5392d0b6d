"""Strategies with real sites: over the network, from a study file to a release that verifies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from federation import federation

from server.attestation import verify_release

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize("strategy", ["mdgan", "similarity"])
def test_weights_by_likeness_and_judges_work_between_machines(
    tmp_path: Path, strategy: str
) -> None:
    with federation(tmp_path) as lab:
        for site in ("north", "south"):
            lab.add_site(site)
        study = lab.write_study(f"flu-{strategy}", strategy=strategy)
        said = lab.cli("site", "check", study, "--site", "north")
        told = "discriminator as DP-SGD left" in " ".join(said.split())
        assert told == (strategy == "mdgan"), said
        joined = [lab.join(site, study) for site in lab.sites]
        assert lab.end(lab.run(study), 400.0) == 0, lab.said(f"{study.stem}.out")
        assert [lab.end(process) for process in joined] == [0, 0]
        verdict = verify_release(lab.release(study.stem))
        assert verdict.holds, verdict.summarise()
        report = json.loads((lab.release(study.stem) / "report.json").read_text())
    assert [each["changed"] for each in report["cost"]["rounds"]] == [True, True]
    found = report["strategy"]
    assert found["name"] == strategy
    if strategy == "mdgan":
        assert found["weights"] == []
    else:
        assert [each["name"] for each in found["weights"]] == ["north", "south"]
        assert sum(each["used"] for each in found["weights"]) == pytest.approx(1)
