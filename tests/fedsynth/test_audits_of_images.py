"""Commands that are given a schema or a release of images: a figure or one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import CommandLine
from digit_images import DIGITS, read_digit_codes

from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.model_files import save_image_generator
from synthesis.images.saving import save_images
from synthesis.images.sketch import ImageLayout
from synthesis.kinds import dump_any_schema

STUDY = 'model = "images"\nrounds = 5\nmax_grad_norm = 3.0\nnominal_rows = 400\n'


@pytest.fixture
def shell(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    import torch

    shell = CommandLine(tmp_path, monkeypatch, capsys)
    (shell.home / "images.toml").write_text(dump_any_schema(DIGITS))
    (shell.home / "study.toml").write_text(STUDY)
    (shell.home / "demo.toml").write_text('rounds = 1\n[simulation]\ndemo = "digits"\n')
    save_images(shell.home / "digits.npz", read_digit_codes()[:100], DIGITS)
    release, settings = shell.home / "release", ImageGeneratorSettings.for_schema(DIGITS)
    release.mkdir()
    save_image_generator(release, ImageGenerator(settings, rng=torch.Generator()), DIGITS)
    return shell


def test_the_step_audit_tries_the_sketch_and_the_discriminator_of_images(
    shell: CommandLine,
) -> None:
    ended = shell.run("audit", "step", "--schema", "images.toml", "--trials", "12")
    assert (ended.code, ended.err) == (0, "")
    for words in ("sketch", "discriminator step", "No violation found"):
        assert words in ended.out
    words = ("--study", "study.toml", "--schema", "images.toml", "--trials", "12", "--json")
    content = json.loads(shell.run("audit", "step", *words).out)
    assert content["holds"]
    assert content["schema"] == "digits"
    names = [each["name"] for each in content["mechanisms"]]
    assert names[0] == "sketch"
    assert names[-1] == "discriminator step, clip 3, batch 40"


def test_the_step_audit_knows_the_demonstrations_of_images(shell: CommandLine) -> None:
    words = ("--study", "demo.toml", "--trials", "4", "--json")
    assert json.loads(shell.run("audit", "step", *words).out)["schema"] == "digits"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "audit step --study tiny.toml --schema images.toml",
            "model must be 'images' or 'vae' for",
        ),
        (
            "audit step --study study.toml --schema visits.toml",
            "model must be 'mixture' or 'vae' for",
        ),
        ("audit step --study auto.toml --schema images.toml", "adversarial_share must be a number"),
        ("audit rehearse study.toml --schema images.toml", "'digits' describes images: canaries"),
        ("plan auto.toml --schema images.toml --rows 9", "adversarial_share must be a number"),
        (
            "plan visits-study.toml --schema images.toml --rows 9",
            "model must be 'images' or 'vae' for",
        ),
        ("audit rehearse demo.toml", "'digits' describes images: canaries"),
        (
            "audit rows release --members digits.npz --others digits.npz",
            "release must be of a table, and release is of images",
        ),
    ],
)
def test_what_is_for_tables_says_so_in_a_sentence(
    shell: CommandLine, words: str, said: str
) -> None:
    (shell.home / "visits-study.toml").write_text("rounds = 1\n")
    (shell.home / "auto.toml").write_text('model = "images"\nadversarial_share = "auto"\n')
    before = shell.files()
    ended = shell.run(*words.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert shell.files() == before


def test_a_study_on_images_is_planned_with_its_noise_and_traffic(shell: CommandLine) -> None:
    words = ("plan", "study.toml", "--schema", "images.toml", "--rows", "400", "--sites", "3")
    ended = shell.run(*words)
    assert (ended.code, ended.err) == (0, "")
    said = " ".join(ended.out.split())
    for told in ("3 sites of 400 images each", "28,650 numbers, 114.6 kB", "is not foretold"):
        assert told in said
    assert "epsilon 1 is too small for much here" in said
    assert "The rounds take 10% of the budget" in said
    forecast = json.loads(shell.run(*words, "--json").out)["forecast"]
    noise = forecast["noise"]
    assert noise["pooled_std"] == pytest.approx(noise["site_std"] * 3**0.5)
    assert (forecast["units"], forecast["unit"]) == ([400] * 3, "image")


def test_the_noise_of_a_plan_is_that_of_the_sketch(shell: CommandLine) -> None:
    words = ("plan", "study.toml", "--schema", "images.toml", "--rows", "400", "--json")
    content = json.loads(shell.run(*words).out)
    (sketch,) = (event for event in content["events"] if event["purpose"] == "sketch")
    layout = ImageLayout.from_schema(DIGITS)
    noise_std = sketch["noise_multiplier"] * layout.sensitivity
    rng, none = np.random.default_rng(0), np.zeros(layout.dimension)
    drawn = [
        layout.estimate_rows(none + 1e7 + rng.normal(0, noise_std, none.shape)) for _ in range(200)
    ]
    expected = content["forecast"]["noise"]["site_std"] * DIGITS.num_classes**0.5
    assert np.std(drawn) == pytest.approx(expected, rel=0.2)


def test_a_demonstration_of_images_is_planned_as_it_would_be_simulated(shell: CommandLine) -> None:
    (shell.home / "sketch.toml").write_text('epsilon = 10.0\n[simulation]\ndemo = "digits"\n')
    content = json.loads(shell.run("plan", "sketch.toml", "--json").out)
    assert content["study"]["rounds"] == 0 and content["study"]["model"] == "images"
    assert content["forecast"]["units"] == [1438 // 4] * 4
    assert content["study"]["nominal_rows"] == 400
    assert content["forecast"]["warnings"] == []


@pytest.mark.parametrize(
    ("study", "words", "warned"),
    [
        ("epsilon = 0.1", "--rows 400", "hopeless here"),
        ("epsilon = 20", "--rows 400,500", None),
        ("epsilon = 20\nminimum_sites = 3", "--rows 400 --sites 2", "minimum_sites is 3"),
        ("epsilon = 20\ndelta = 0.001", "--rows 4000", "delta 0.001 is not below 1/images"),
    ],
)
def test_a_plan_warns_of_what_is_in_vain(
    shell: CommandLine, study: str, words: str, warned: str | None
) -> None:
    (shell.home / "own.toml").write_text(f'model = "images"\n{study}\n')
    ended = shell.run("plan", "own.toml", "--schema", "images.toml", *words.split())
    assert ended.code == 0
    if warned is None:
        assert "Warning" not in ended.out
    else:
        assert warned in " ".join(ended.out.split())


def test_a_study_on_images_is_planned_without_a_schema(shell: CommandLine) -> None:
    ended = shell.run("plan", "study.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "training" in ended.out
