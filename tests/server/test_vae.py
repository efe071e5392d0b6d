"""A whole study on autoencoders, for tables and images, and the studies that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from image_sites import IMAGES, write_image_sites
from tiny_sites import make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.kinds import check_kind
from server.outcome import StudyOutcome
from server.study import Study
from simulations.grid import LocalGrid
from strategies.errors import StudyFailed
from synthesis import InputError
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator
from synthesis.kinds import AnySchema
from synthesis.vae.images import VAE_HIDDEN
from synthesis.vae.tables import CODES

BOTH = pytest.mark.parametrize("schema", [SCHEMA, IMAGES], ids=["table", "images"])
ALLOWED = {"models": ("vae",)}


def make_vae_study(**changes) -> Study:
    return make_study(model="vae", evaluation=False, **changes)


def run(home: Path, schema: AnySchema, study: Study, checkpoint: Path | None = None):
    if not (home / "site-1").exists():
        (write_sites if schema is SCHEMA else write_image_sites)(home, **ALLOWED)
    grid = LocalGrid(app, 3, run_config={"sites-dir": str(home)})
    kept = None if checkpoint is None else Checkpoint(checkpoint)
    return Coordinator(study, schema, num_sites=3, checkpoint=kept).run(grid)


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([each.flatten() for each in outcome.generator.state_dict().values()])


@BOTH
def test_a_study_ends_in_a_generator_like_any_other(tmp_path: Path, schema: AnySchema) -> None:
    outcome = run(tmp_path / "sites", schema, make_vae_study(), tmp_path / "study")
    assert [record.valid for record in outcome.rounds] == [(101, 102, 103)] * 2
    assert len(outcome.groups) <= 1
    generator = outcome.with_names({101: "a", 102: "b", 103: "c"}).generator
    assert not outcome.sketch_generator.state_dict().keys() & {"encoder.weight", "encoder.bias"}
    if schema is SCHEMA:
        assert type(generator) is Generator
        assert generator.settings.num_parts == CODES
        assert type(outcome.sketch_generator) is Generator
    else:
        assert type(generator) is ImageGenerator
        assert generator.settings.hidden == VAE_HIDDEN
        assert generator.refine[-1].weight.any()
        assert torch.equal(generator.means, outcome.sketch_generator.means.half().float())
    again = run(tmp_path / "sites", schema, make_vae_study(), tmp_path / "study")
    assert torch.equal(weights_of(again), weights_of(outcome))


def test_sites_that_differ_are_described_together(tmp_path: Path) -> None:
    study = make_vae_study(max_site_groups=4)
    assert len(run(tmp_path, SCHEMA, study).table_generator.settings.groups) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rounds": 0, "adversarial_share": 0}, "rounds must be at least 1 with model 'vae'"),
        ({"strategy": "mdgan"}, "strategy must be another than mdgan with model 'vae'"),
    ],
)
@BOTH
def test_what_an_autoencoder_cannot_do_is_refused(changes, sentence, schema) -> None:
    with pytest.raises(InputError, match=sentence):
        check_kind(make_vae_study(**changes), schema)


def test_sites_that_lack_columns_end_the_study_for_free(tmp_path: Path) -> None:
    write_sites(tmp_path, lacking={0: ("colour",)}, **ALLOWED)
    with pytest.raises(StudyFailed):
        run(tmp_path, SCHEMA, make_vae_study())
