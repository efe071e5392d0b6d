"""Whatever is done to the canaries of a release, and signed again, a reader finds it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from signed_release import (
    CANARIES,
    failed,
    make_canaries,
    make_release_report,
    problems,
    sign_again,
    write_signed,
)

from fedsynth.study_audit import audit_study
from server.attestation import verify_release
from synthesis import InputError

Content = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, canaries = tmp_path_factory.mktemp("signed") / "release", make_canaries()
    write_signed(folder, make_release_report(canaries), canaries)
    return folder


@pytest.fixture
def release(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "release"))


def edit(folder: Path, name: str, change: Callable[[Content], object]) -> None:
    """Change a file and sign the release again: a coordinator that lies."""
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))
    sign_again(folder, lambda statement: None)


def test_an_audit_that_follows_holds(release: Path) -> None:
    verdict = verify_release(release)
    assert verdict.holds, problems(verdict)
    (check,) = [check for check in verdict.checks if check.name == "canaries"]
    assert check.found == "2 of 2 sites opened their coins; the audit was done again"
    audit = audit_study(release)
    assert audit.holds and [site["site"] for site in audit.sites] == ["north", "south"]
    report = json.loads((release / "report.json").read_text())
    for site, told in zip(audit.sites, report["audit"]["sites"], strict=True):
        assert site == pytest.approx(told)
        assert 0 < site["one_run"] < site["claim"] < site["ceiling"]


def north(content: Content) -> Content:
    site: Content = content["sites"][0]
    return site


def flip_a_coin(content: Content) -> None:
    site = north(content)
    site["coins"] = f"{int(site['coins'][0], 16) ^ 8:x}{site['coins'][1:]}"


def flatter_a_score(content: Content) -> None:
    """The highest score becomes the lowest: another canary is guessed to be in."""
    scores = north(content)["scores"]
    scores[scores.index(max(scores))] = -99.0


def swap_sites(content: Content) -> None:
    first, second = content["sites"]
    first["public_key"], second["public_key"] = second["public_key"], first["public_key"]


LIES: dict[str, tuple[Callable[[Content], object], str]] = {
    "coin": (flip_a_coin, "the coins opened are not those of the commitment"),
    "score": (flatter_a_score, "states another audit of site north"),
    "salt": (lambda c: north(c).update(salt="00" * 32), "are not those of the commitment"),
    "commitment": (lambda c: north(c).update(commitment="00" * 32), "not those of the commitment"),
    "closed": (lambda c: north(c).update(coins=None, salt=None), "states another audit"),
    "fewer scores": (lambda c: north(c)["scores"].pop(), "of another number than the canaries"),
    "more guesses": (lambda c: north(c).update(guesses=CANARIES), "of another number"),
    "other study": (lambda c: c.update(study="00" * 32), "is of another study or schema"),
    "confidence": (lambda c: c.update(confidence=0.5), "states another confidence than 0.95"),
    "other key": (swap_sites, "are not those of its key"),
    "stranger": (lambda c: north(c).update(site="west"), "are not those of its key"),
    "one site less": (lambda c: c["sites"].pop(), "name different sites"),
    "one site twice": (lambda c: c["sites"].append(c["sites"][0]), "name different sites"),
    "no number": (lambda c: north(c)["scores"].append("NaN"), "canaries.json cannot be read"),
    "unknown field": (lambda c: c.update(more=1), "canaries.json cannot be read"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_about_canaries_is_found_though_it_is_signed(release: Path, lie: str) -> None:
    change, complaint = LIES[lie]
    edit(release, "canaries.json", change)
    verdict = verify_release(release)
    assert failed(verdict) == {"canaries"}
    assert complaint in problems(verdict)
    audit = audit_study(release)
    assert not audit.holds and complaint in " ".join(audit.problems)
    assert audit.sites == ()


REPORTS: dict[str, Callable[[Content], object]] = {
    "bound": lambda c: c["audit"]["sites"][0].update(one_run=0.0),
    "verdict": lambda c: c["audit"]["sites"][0].update(refutes=True),
    "claim": lambda c: c["audit"]["sites"][0].update(claim=9.0),
    "ceiling": lambda c: c["audit"]["sites"][0].update(ceiling=1.0),
    "right": lambda c: c["audit"]["sites"][0].update(right=25.0),
    "site": lambda c: c["audit"]["sites"][0].update(site="west"),
    "missing": lambda c: c["audit"]["sites"].pop(),
    "release": lambda c: c["audit"].update(release="training"),
    "none": lambda c: c.update(audit=None),
    "odd": lambda c: c.update(audit=[1]),
}


@pytest.mark.parametrize("change", REPORTS)
def test_a_report_with_another_audit_is_found(release: Path, change: str) -> None:
    edit(release, "report.json", REPORTS[change])
    assert failed(verify_release(release)) == {"canaries"}


def test_an_audit_without_its_canaries_is_found(release: Path) -> None:
    (release / "canaries.json").unlink()
    sign_again(release, lambda statement: None)
    verdict = verify_release(release)
    assert failed(verdict) == {"canaries"}
    assert "the report states an audit, and canaries.json is missing" in problems(verdict)


def test_a_site_that_opened_nothing_is_named_and_the_release_holds(tmp_path: Path) -> None:
    canaries = make_canaries(north=False)
    write_signed(tmp_path / "release", make_release_report(canaries), canaries)
    verdict, audit = verify_release(tmp_path / "release"), audit_study(tmp_path / "release")
    assert verdict.holds, problems(verdict)
    assert [site["right"] is None for site in audit.sites] == [True, False]
    assert audit.holds and "north did not open the coins committed to" in audit.sentence()


def test_a_claim_that_is_refuted_follows_and_is_a_violation(tmp_path: Path) -> None:
    """The release says so itself, so it holds; the audit ends with a violation."""
    content = json.loads(make_canaries().to_text())
    for site in content["sites"]:
        coins = bytes.fromhex(site["coins"])
        bits = [coins[i // 8] >> (7 - i % 8) & 1 for i in range(CANARIES)]
        site["scores"] = [float(bit) for bit in bits]
    canaries = make_canaries().model_validate_json(json.dumps(content))
    write_signed(tmp_path / "release", make_release_report(canaries), canaries)
    assert verify_release(tmp_path / "release").holds
    audit = audit_study(tmp_path / "release")
    assert audit.is_refuted and not audit.holds
    assert audit.sentence().startswith("VIOLATION: at north and south more canaries")
    assert all(site["one_run"] <= site["ceiling"] for site in audit.sites)


def test_a_release_without_canaries_has_nothing_to_audit(tmp_path: Path) -> None:
    write_signed(tmp_path / "release", make_release_report())
    audit = audit_study(tmp_path / "release")
    assert audit.holds and audit.sites == ()
    assert "No site planted canaries" in audit.sentence()


def test_what_is_no_release_cannot_be_audited(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"release.intoto.json is missing"):
        audit_study(tmp_path)
