"""A coordinator of images that dies ends, in its next life, with the same generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from image_sites import IMAGES, make_image_study, write_image_sites

from client.app import app
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.outcome import StudyOutcome
from simulations.grid import LocalGrid


class Died(BaseException):
    """The coordinator's end, which nothing may catch."""


def live(home: Path, *, until: str | None = None) -> tuple[StudyOutcome, list[str]]:
    """One life of a coordinator, up to the first event of a name."""
    happened: list[str] = []

    def notice(event: Mapping[str, object]) -> None:
        happened.append(str(event["event"]))
        if event["event"] == until:
            raise Died

    grid = LocalGrid(app, 3, run_config={"sites-dir": str(home / "sites")})
    coordinator = Coordinator(
        make_image_study(),
        IMAGES,
        num_sites=3,
        on_event=notice,
        checkpoint=Checkpoint(home / "study"),
    )
    return coordinator.run(grid), happened


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([each.flatten() for each in outcome.generator.state_dict().values()])


@pytest.mark.slow
def test_a_coordinator_that_died_resumes_from_what_it_kept(tmp_path: Path) -> None:
    write_image_sites(tmp_path / "whole" / "sites")
    expected, names = live(tmp_path / "whole")
    name = next(each for each in names if "round" in each)
    home = tmp_path / "broken"
    write_image_sites(home / "sites")
    with pytest.raises(Died):
        live(home, until=name)
    found, happened = live(home)
    assert "phase-kept" in happened
    assert torch.equal(weights_of(found), weights_of(expected))
    assert [record.valid for record in found.rounds] == [(101, 102, 103)] * 2
    again, _ = live(home)  # a study that has ended gives the same once more
    assert torch.equal(weights_of(again), weights_of(expected))
    for each in (found, again):  # what was drawn after rounds of an earlier life is drawn anew
        assert each.round_images.keys() == expected.round_images.keys() == {1, 2}
        for number, first in expected.round_images.items():
            np.testing.assert_array_equal(each.round_images[number], first)
