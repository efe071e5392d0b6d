"""A whole study on the census with canaries at every site, and what a reader finds in its release.

The generator that tells what other rows add is fitted, so it is as good as it is in real studies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import broken_releases as broken
import pytest

import fedsynth
from server.attestation import verify_release
from synthesis import InputError

STUDY = """
rounds = 0
adversarial_share = 0.0
fit_steps = 300

[simulation]
rows = 200
canaries = 1000
"""


def simulate(folder: Path, **more: Any) -> Path:
    (folder / "study.toml").write_text(STUDY)
    fedsynth.simulate(folder / "study.toml", out=folder / "release", **more)
    return folder / "release"


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, pytest.param(3.0, marks=pytest.mark.long)])
def test_a_study_with_canaries_is_not_refuted(tmp_path: Path, epsilon: float) -> None:
    release = simulate(tmp_path, epsilon=epsilon)
    verdict, audit = verify_release(release), fedsynth.audit_study(release)
    assert verdict.holds, verdict.summarise()
    assert audit.holds and len(audit.sites) == 4
    assert all(site["f_dp"] < site["claim"] for site in audit.sites)
    lie_about_the_ledger(release)


def lie_about_the_ledger(release: Path) -> None:
    """Coins chosen afterwards fit a commitment that no ledger holds."""
    from signed_release import sign_again

    from privacy.canaries import Opening

    for name, key in (("canaries.json", "sites"), ("report.json", "audit")):
        content = json.loads((release / name).read_text())
        sites = content[key] if key == "sites" else content[key]["sites"]
        stated = json.loads((release / "canaries.json").read_text())["sites"][0]
        site = sites[0]
        opening = Opening.from_texts("00" * 32, stated["coins"], stated["canaries"])
        site["commitment"] = opening.commit()
        if key == "sites":
            site["salt"] = "00" * 32
        (release / name).write_text(json.dumps(content))

    def by_another_key(statement: dict[str, Any]) -> None:
        from signed_release import KEY

        statement["predicate"]["coordinator"]["public_key"] = KEY.public.hex

    sign_again(release, by_another_key)
    verdict = verify_release(release)
    problems = [problem for check in verdict.checks for problem in check.problems]
    assert len(problems) == 1
    assert "commits to other coins of canaries than are stated" in problems[0]


@pytest.mark.slow
def test_a_study_with_a_quarter_of_the_noise_is_refuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.quarter_noise_in_the_sketch(monkeypatch)
    audit = fedsynth.audit_study(simulate(tmp_path))
    assert audit.is_refuted
    assert sum(site["refutes"] for site in audit.sites) >= 2  # of four; power is not certainty


def test_a_number_of_canaries_that_shows_nothing_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match=r"canaries must be 0 or between 50 and 2,000, got 10"):
        fedsynth.simulate(canaries=10)
