"""Commands that are given a schema or a release of images: a figure or one sentence."""

from __future__ import annotations

import json

import pytest
from command_line import CommandLine
from digit_images import DIGITS, read_digit_codes

from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.model_files import save_image_generator
from synthesis.images.saving import save_images
from synthesis.kinds import dump_any_schema

STUDY = 'model = "images"\nmax_grad_norm = 3.0\nnominal_rows = 400\n'


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
        ("audit rehearse demo.toml", "'digits' describes images: canaries"),
        ("plan study.toml --schema images.toml --rows 400 --sites 3", "'digits' describes images"),
        ("plan demo.toml", "'digits' describes images"),
        ("schema check images.toml digits.npz", "images.toml describes images; 'fedsynth site"),
        (
            "audit rows release --members digits.npz --others digits.npz",
            "release must be of a table, and release is of images",
        ),
    ],
)
def test_what_is_for_tables_says_so_in_a_sentence(
    shell: CommandLine, words: str, said: str
) -> None:
    (shell.home / "auto.toml").write_text('model = "images"\nadversarial_share = "auto"\n')
    before = shell.files()
    ended = shell.run(*words.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert shell.files() == before


def test_a_study_on_images_is_planned_without_a_schema(shell: CommandLine) -> None:
    ended = shell.run("plan", "study.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "training" in ended.out
