"""What a study with real sites does before and after it asks anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from coordinators import make_server
from signed_release import SITES, key_of, make_outcome
from tiny_sites import make_study
from tiny_world import SCHEMA, make_generator

from privacy import PublicKey
from server.attestation import verify_release
from server.deploy import studying
from server.deploy.reporting import make_report
from server.deploy.studying import StudyOrder, give_up_study, run_study
from server.outcome import StudyOutcome
from synthesis import InputError


def test_a_study_that_was_never_begun_cannot_be_given_up(tmp_path: Path) -> None:
    order = StudyOrder(
        study=make_study(), schema=SCHEMA, num_sites=None, num_rows=None, out=tmp_path / "out"
    )
    server = make_server(tmp_path / "coordinator")
    with pytest.raises(InputError, match="was never begun here"):
        give_up_study(server, order, lambda event: None)
    assert list(server.studies.glob("*")) == []


def test_a_report_names_a_site_whose_name_is_lost_by_its_number() -> None:
    outcome = StudyOutcome(
        generator=make_generator(),
        sketch_generator=None,  # type: ignore[arg-type]
        nodes=(7, 9),
        noise_multipliers={},
        epsilons=dict.fromkeys((7, 9), 1.0),
        estimated_rows=10.0,
        sketch_noise_std=3.0,
        site_noise_std=2.0,
        phases=(),
        rounds=(),
    )
    report = make_report(make_study(), SCHEMA, outcome, {7: "north"}, 10)
    assert [site.name for site in report.sites] == ["9", "north"]


def test_a_release_is_signed_with_the_key_that_sites_were_handed(tmp_path: Path) -> None:
    server = make_server(tmp_path / "coordinator")
    out = tmp_path / "out"
    order = StudyOrder(study=make_study(), schema=SCHEMA, num_sites=None, num_rows=20, out=out)
    events: list[object] = []
    studying._release(server, order, make_outcome(), SITES, events.append)  # type: ignore[arg-type]
    (handed,) = (
        line.split('"')[1]
        for line in server.handout.read_text().splitlines()
        if line.startswith("public_key")
    )
    trusted = {PublicKey(handed): "test", **{key_of(s).public: s for s in SITES.values()}}
    verdict = verify_release(out, trusted)
    assert verdict.holds, verdict.summarise()
    assert verdict.statement.predicate.kind == "federation"
    assert [site.name for site in verdict.statement.predicate.sites] == ["north", "south"]
    assert all(site.source == "study-plan" for site in verdict.statement.predicate.sites)


def test_a_missing_signing_key_is_missed_before_anybody_is_asked(tmp_path: Path) -> None:
    server = make_server(tmp_path / "coordinator")
    server.signing_key_file.unlink()
    order = StudyOrder(
        study=make_study(), schema=SCHEMA, num_sites=None, num_rows=None, out=tmp_path / "out"
    )
    with pytest.raises(InputError, match=r"key file .*coordinator.pem cannot be read"):
        run_study(server, order, lambda event: None)
    assert list(server.studies.glob("*")) == []
