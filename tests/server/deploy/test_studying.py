"""What a study with real sites does before and after it asks anybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from coordinators import make_server
from tiny_sites import make_study
from tiny_world import SCHEMA

from server.deploy.reporting import make_report
from server.deploy.studying import StudyOrder, give_up_study
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
        generator=None,  # type: ignore[arg-type]
        sketch_generator=None,  # type: ignore[arg-type]
        nodes=(7, 9),
        noise_multipliers={},
        estimated_rows=10.0,
        sketch_noise_std=3.0,
        phases=(),
        rounds=(),
    )
    report = make_report(make_study(), SCHEMA, outcome, {7: "north"}, 10)
    assert [site.name for site in report.sites] == ["9", "north"]
