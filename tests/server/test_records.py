"""Records of either kind are drawn, shown and published by the same functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from coordinators import make_server
from digit_images import DIGITS, read_digit_codes
from pydantic import ValidationError
from signed_release import SITES, key_of, make_outcome
from tiny_sites import make_study
from tiny_world import SCHEMA, make_generator

from privacy import PublicKey
from server.attestation import verify_release
from server.deploy import studying
from server.deploy.reporting import make_report
from server.deploy.studying import StudyOrder, run_study
from server.image_defaults import EXPECTED_BATCH, LARGE_SITE
from server.outcome import StudyOutcome
from server.records import check_number, draw_records, most_suggested, picture_records
from server.report import build_images
from server.study import Study, load_study, parse_study
from synthesis import InputError
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.sampling import MOST_IMAGES
from synthesis.images.schema import MAX_SIDE, ImageSchema
from synthesis.kinds import AnySchema

WIDE = ImageSchema(name="wide", height=MAX_SIDE, width=MAX_SIDE, channels=3, classes=("a", "b"))


def image_generator() -> ImageGenerator:
    settings = ImageGeneratorSettings.for_schema(DIGITS)
    return ImageGenerator(settings, rng=torch.Generator().manual_seed(0))


def image_outcome() -> StudyOutcome:
    generator = image_generator()
    return replace(make_outcome(), generator=generator, sketch_generator=generator)


def image_study() -> Study:
    return make_study(model="images", rounds=0, adversarial_share=0.0)


def order_of(out: Path, study: Study, schema: AnySchema = DIGITS, **more: int) -> StudyOrder:
    asked = {"num_sites": None, "num_rows": 20} | more
    return StudyOrder(study=study, schema=schema, out=out, **asked)  # type: ignore[arg-type]


def test_records_of_both_kinds_are_drawn_again_from_the_same_seed() -> None:
    table = draw_records(make_generator(), SCHEMA, 7, seed=1)
    assert isinstance(table, pd.DataFrame) and len(table) == 7
    images = draw_records(image_generator(), DIGITS, 7, seed=1)
    assert isinstance(images, np.ndarray) and images.shape == (7, 65)
    np.testing.assert_array_equal(images, draw_records(image_generator(), DIGITS, 7, seed=1))
    assert not np.array_equal(images, draw_records(image_generator(), DIGITS, 7, seed=2))


def test_a_site_that_lies_about_its_size_cannot_fill_the_memory() -> None:
    assert most_suggested(SCHEMA) == 10_000_000
    assert most_suggested(WIDE) * WIDE.num_pixels <= 250_000_000
    assert most_suggested(DIGITS) > 1_000_000


def test_only_published_images_are_shown() -> None:
    assert picture_records(draw_records(make_generator(), SCHEMA, 7, seed=1), SCHEMA) is None
    images = picture_records(draw_records(image_generator(), DIGITS, 7, seed=1), DIGITS)
    assert images is not None
    assert [grid.kind for grid in images.grids] == ["synthetic"]
    assert images.figures is None


@pytest.mark.parametrize("kind", ["real", "nearest"])
def test_no_report_of_real_sites_holds_a_real_image(kind: str) -> None:
    codes = read_digit_codes()[:20]
    shown = build_images(DIGITS, codes, beside={kind: codes})
    with pytest.raises(ValidationError, match="must show no real image"):
        make_report(image_study(), DIGITS, image_outcome(), SITES, 20, images=shown)
    rounds = build_images(DIGITS, codes, beside={"sketch": codes})  # generated as well
    make_report(image_study(), DIGITS, image_outcome(), SITES, 20, images=rounds)


def test_a_coordinator_signs_a_release_of_images(tmp_path: Path) -> None:
    server, out = make_server(tmp_path / "coordinator"), tmp_path / "out"
    events: list[object] = []
    order = order_of(out, image_study())
    studying._release(server, order, image_outcome(), SITES, events.append)  # type: ignore[arg-type]
    (handed,) = (
        line.split('"')[1]
        for line in server.handout.read_text().splitlines()
        if line.startswith("public_key")
    )
    trusted = {PublicKey(handed): "test", **{key_of(s).public: s for s in SITES.values()}}
    verdict = verify_release(out, trusted)
    assert verdict.holds, verdict.summarise()
    assert verdict.statement.predicate.kind == "federation"
    assert {path.name for path in out.iterdir()} >= {"synthetic.npz", "synthetic.png"}
    assert events == [{"event": "released", "rows": 20}]


@pytest.mark.parametrize(
    ("study", "schema", "more", "said"),
    [
        (make_study(), DIGITS, {}, "model must be 'images'"),
        (image_study(), SCHEMA, {}, "model must be 'mixture'"),
        (make_study(model="images", evaluation=True), DIGITS, {}, "evaluation must be false"),
        (image_study(), DIGITS, {"num_rows": MOST_IMAGES + 1}, "rows must be at most 10,000,000"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anybody_is_asked(
    tmp_path: Path, study: Study, schema: AnySchema, more: dict[str, int], said: str
) -> None:
    server = make_server(tmp_path / "coordinator")
    with pytest.raises(InputError, match=said):
        run_study(server, order_of(tmp_path / "out", study, schema, **more), lambda event: None)
    assert list(server.studies.glob("*")) == []
    check_number(DIGITS, MOST_IMAGES)


@pytest.mark.parametrize(
    ("said", "rounds", "batch"),
    [
        ({"nominal_rows": LARGE_SITE}, 4, EXPECTED_BATCH),
        ({"nominal_rows": LARGE_SITE - 1}, 0, None),
        ({"nominal_rows": 20_000, "rounds": 0, "adversarial_share": 0.0}, 0, EXPECTED_BATCH),
        ({"nominal_rows": 20_000, "sample_rate": 0.01}, 4, 200),
    ],
)
def test_large_sites_with_images_have_rounds(
    said: dict[str, float], rounds: int, batch: int | None
) -> None:
    study = parse_study({"model": "images", **said})
    assert (study.rounds, study.adversarial_share > 0) == (rounds, rounds > 0)
    assert batch in (None, study.expected_batch_size)
    assert study.discriminator_steps == 50


@pytest.mark.parametrize(("epsilon", "steps"), [(0.25, 25), (1, 50), (10.0, 158), (100.0, 200)])
def test_a_larger_budget_bears_more_steps(epsilon: float, steps: int) -> None:
    assert parse_study({"model": "images", "epsilon": epsilon}).discriminator_steps == steps
    named = parse_study({"model": "images", "epsilon": epsilon, "discriminator_steps": 7})
    assert named.discriminator_steps == 7


@pytest.mark.parametrize("epsilon", [0, -1.0, "much", float("nan")])
def test_no_budget_is_still_one_sentence(epsilon: object) -> None:
    with pytest.raises(InputError, match="epsilon"):
        parse_study({"model": "images", "epsilon": epsilon})


def test_a_study_file_on_images_has_no_rounds_unless_it_says_so(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('model = "images"\n')
    study = load_study(file)
    assert (study.rounds, study.adversarial_share) == (0, 0.0)
    file.write_text('model = "images"\nrounds = 2\n')
    assert load_study(file).rounds == 2 and load_study(file).adversarial_share > 0
    assert parse_study({}).rounds > 0
    assert study == parse_study({"model": "images"})
