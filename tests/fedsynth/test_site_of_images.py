"""A site is founded on images of any form and rehearses a study; what cannot be is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine, Ended
from digit_images import DIGITS, read_digit_codes
from image_files import write_idx, write_png_folder

from client.site import load_site
from privacy import Part
from synthesis.images.saving import save_images
from synthesis.kinds import dump_any_schema

NUMBER = 120
STUDY = 'name = "digits"\nmodel = "images"\nepsilon = 4\nnominal_rows = 150\n'
FORMS = {"folder": "scans", "archive": "digits.npz", "idx": "idx"}


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    codes = read_digit_codes()[:NUMBER]
    write_png_folder(shell.home / "scans", codes, DIGITS)
    save_images(shell.home / "digits.npz", codes, DIGITS)
    write_idx(shell.home / "idx", codes, DIGITS, ".gz")
    (shell.home / "digits.toml").write_text(dump_any_schema(DIGITS))
    (shell.home / "study.toml").write_text(STUDY)
    return shell


def init(shell: CommandLine, data: str = "scans", *more: str) -> Ended:
    words = ("--name", "North", "--data", data, "--schema", "digits.toml")
    return shell.run("site", "init", "north", *words, "--epsilon", "8", "--delta", "1e-5", *more)


def check(shell: CommandLine, study: str = "study.toml") -> tuple[int, str]:
    ended = shell.run("site", "check", study, "--site", "north")
    assert ended.err == ""
    return ended.code, " ".join(ended.out.split())


@pytest.mark.parametrize("form", FORMS)
def test_a_site_is_founded_on_each_form_of_images(shell: CommandLine, form: str) -> None:
    ended = init(shell, FORMS[form])
    assert (ended.code, ended.err) == (0, "")
    assert f"All {NUMBER} images fit the schema: {NUMBER} records." in " ".join(ended.out.split())
    site = load_site("north")
    assert site.schema == DIGITS
    assert site.ledger.policy.models == ("images",)
    assert site.ledger.header.dataset == FORMS[form]
    assert site.read_units(Part.TRAINING).n_units == NUMBER
    code, said = check(shell)
    assert code == 0 and "the site would take part" in said


def test_nothing_is_held_out_of_images_unless_somebody_asks(shell: CommandLine) -> None:
    assert "no record is held out" in init(shell).out.replace("\n", " ")
    assert load_site("north").ledger.policy.holdout == 0


def test_a_hold_out_of_images_that_was_asked_for_is_kept_apart(shell: CommandLine) -> None:
    init(shell, "scans", "--holdout", "0.3")
    site = load_site("north")
    held = site.read_units(Part.HOLD_OUT).n_units
    assert site.ledger.policy.holdout == 0.3
    assert 0 < held < NUMBER
    assert held + site.read_units(Part.TRAINING).n_units == NUMBER


def test_check_shows_what_would_leave_and_changes_nothing(shell: CommandLine) -> None:
    init(shell)
    before = shell.files()
    code, said = check(shell)
    assert code == 0 and shell.files() == before
    for words in ("28,650 float32", "no record leaves", "epsilon 3.99", "sketch Gaussian"):
        assert words in said
    assert "query.train" not in said and "evaluate" not in said


def test_a_file_that_is_no_image_is_named_on_this_screen(shell: CommandLine) -> None:
    (shell.home / "scans" / "4" / "torn.png").write_bytes(b"no image")
    said = " ".join(init(shell).out.split())
    assert f"{NUMBER} records from {NUMBER + 1} images would take part" in said
    assert "'4/torn.png'" in said
    assert "'4/torn.png'" in check(shell)[1]


def test_a_site_without_a_single_image_is_warned(shell: CommandLine) -> None:
    init(shell)
    for path in (shell.home / "scans").rglob("*.png"):
        path.write_bytes(b"no image")
    assert f"none of {NUMBER} images fits the schema" in check(shell)[1]


def test_a_site_that_is_all_noise_is_warned_on_its_own_screen(shell: CommandLine) -> None:
    init(shell)
    weak = STUDY.replace("epsilon = 4", "epsilon = 0.1")
    (shell.home / "weak.toml").write_text(weak.replace("150", "10000"))
    said = check(shell, "weak.toml")[1]
    assert "Warning: This site's sketch would be all noise" in said
    assert f"for {NUMBER} images of this site in all" in said
    (shell.home / "weak.toml").write_text(weak)  # as many as the study counts on
    assert "Warning" not in check(shell, "weak.toml")[1]
    assert "Warning" not in check(shell)[1]


def test_a_study_of_tables_is_refused_in_a_sentence(shell: CommandLine) -> None:
    init(shell)
    (shell.home / "table.toml").write_text('name = "table"\nepsilon = 4\n')
    code, said = check(shell, "table.toml")
    assert code == 1
    assert "This site would refuse: model 'mixture' is not allowed" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--canaries", "100"), "canaries must be 0 at a site with images"),
        (("--missing-column", "class"), "missing_columns must be left out at a site with images"),
        (("--holdout", "0.7"), "holdout"),
        (("--delta", "0.1"), "delta must be below 1 / number of records"),
    ],
)
def test_what_images_do_not_have_is_refused_before_anything_is_written(
    shell: CommandLine, more: tuple[str, str], said: str
) -> None:
    ended = init(shell, "scans", *more)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert not (shell.home / "north").exists()


def test_images_do_not_come_from_a_database(shell: CommandLine) -> None:
    query = ("--query", "SELECT 1", "--dataset", "scans")
    ended = init(shell, "sqlite:///scans.db", *query)
    assert (ended.code, ended.out) == (2, "")
    assert "data must be files where the schema describes images" in ended.err
    assert not (shell.home / "north").exists()


def test_schema_check_lists_what_departs_from_a_schema_of_images(shell: CommandLine) -> None:
    ended = shell.run("schema", "check", "digits.toml", "digits.npz")
    assert (ended.code, ended.out) == (0, f"{NUMBER} images fit the schema 'digits'.\n")
    (shell.home / "scans" / "4" / "torn.png").write_bytes(b"no image")
    ended = shell.run("schema", "check", "digits.toml", "scans")
    assert ended.code == 1
    assert "'4/torn.png'" in " ".join(ended.out.split())
