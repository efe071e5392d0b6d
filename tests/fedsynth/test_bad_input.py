"""Whatever is wrong: one sentence on the error stream, exit code 2, nothing written or spent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SCHEMA, CommandLine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def refuse(shell: CommandLine, words: list[str], *expected: str) -> None:
    """Check that a command is refused in one sentence that holds every expected text."""
    before = shell.files()
    ended = shell.run(*words)
    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("fedsynth: ")
    assert ended.err.count("\n") == 1
    assert ended.err.rstrip().endswith((".", "?"))
    assert "Traceback" not in ended.err
    for text in expected:
        assert text in ended.err, ended.err
    assert shell.files() == before


def study(*words: str, data: str = "visits.csv", partition: str = "column:clinic") -> list[str]:
    source = ["--data", data, "--schema", "visits.toml", "--partition", partition]
    return ["simulate", "tiny.toml", *source, "--out", "release", *words]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (study("--epsilon", "0"), ["epsilon must be greater than 0, got 0.0", "default 1.0"]),
        (study("--epsilon", "-1"), ["epsilon must be greater than 0, got -1.0"]),
        (study("--epsilon", "nan"), ["epsilon must be", "got nan"]),
        (study("--epsilon", "inf"), ["epsilon must be", "got inf"]),
        (study("--epsilon", "2000"), ["epsilon must be at most 1000"]),
        (study("--epsilon", "1e-9"), ["epsilon 1e-09", "use a larger"]),
        (study("--delta", "0"), ["delta must be greater than 1e-10", "default 1e-05"]),
        (study("--delta", "1e-10"), ["delta must be greater than 1e-10"]),
        (study("--delta", "0.5"), ["delta must be between 1e-10 and 1/rows = 0.02", "got 0.5"]),
        (study("--sites", "0", partition="iid"), ["sites must be at least 2"]),
        (study("--sites", "1", partition="iid"), ["sites must be", "got 1"]),
        (study("--sites", "61", partition="iid"), ["sites must be at most the number of rows"]),
        (study("--sites", "60", partition="iid"), ["sites must not all have fewer than 5 rows"]),
        (study("--sites", "3"), ["sites must be left out with partition column:clinic"]),
        (study("--alpha", "1"), ["alpha must be left out"]),
        (study("--alpha", "0", partition="dirichlet"), ["alpha must be greater than 0, got 0"]),
        (study("--seed", "-1"), ["seed must be at least 0, got -1"]),
        (study("--rows", "0"), ["rows must be at least 1, got 0"]),
        (study("--rounds", "-1"), ["rounds must be", "got -1; correct it or leave it out."]),
        (study("--backend", "cloud"), ["backend must be 'local' or 'ray', got 'cloud'"]),
        (study(partition="by-hand"), ["partition must be iid, dirichlet, dirichlet:NAME or"]),
        (study(partition="column:town"), ["partition column 'town'", "clinic, age, ward, sick"]),
        (study(partition="column:ward"), ["must name a site in every row"]),
        (study("--target", "no.toml"), ["target file no.toml cannot be read"]),
        (study("--target", "tiny.toml"), ["target file tiny.toml cannot be used"]),
        (study("--demo", "adult"), ["demo and data must not both be given"]),
        (
            ["simulate", "--demo", "mars"],
            ["demo must be one of adult, digits, fashion, got 'mars'"],
        ),
        (["simulate", "--data", "visits.csv"], ["data and schema must be given together"]),
        (["simulate", "none.toml"], ["study must be a TOML file", "none.toml"]),
        (["simulate", "visits.csv"], ["study file visits.csv is not valid TOML"]),
        (["simulate", "visits.csv/x.toml"], ["study must be a TOML file"]),
        (study(data="none.csv"), ["data file none.csv does not exist"]),
        (study(data="visits.toml"), ["data file visits.toml must end in .csv"]),
        (study("--schema", "none.toml"), ["schema file none.toml does not exist"]),
        (study("--schema", "visits.csv"), ["schema file visits.csv is not valid TOML"]),
        (study("--schema", "tiny.toml"), ["schema file tiny.toml cannot be used", "columns"]),
        (study("--out", "scratch/../visits.csv"), ["out must be a new or empty folder"]),
        (study("--out", "visits.csv/release"), ["out must be where you may write"]),
        (study("--out", "."), ["out must be a new or empty folder, and . is not"]),
        (["plan", "none.toml"], ["study must be a TOML file"]),
        (["sample", "none", "--rows", "5", "--out", "a.csv"], ["release folder must hold"]),
        (["sample", "none", "--rows", "5", "--out", "a.txt"], ["out must end in .csv"]),
        (["sample", "none", "--rows", "5", "--out", "visits.csv"], ["out must not exist yet"]),
        (["sample", "none", "--rows", "5", "--out", "x/a.csv"], ["out must be in a folder"]),
        (["schema", "draft", "none.csv", "--out", "a.toml"], ["none.csv does not exist"]),
        (["schema", "draft", "visits.csv", "--out", "tiny.toml"], ["out must not exist yet"]),
        (["schema", "draft", "visits.csv", "--out", "x/a.toml"], ["out must be in a folder"]),
        (["schema", "draft", "visits.csv", "--out", "a.toml", "--label", "x"], ["label", "'x'"]),
        (["schema", "check", "none.toml", "visits.csv"], ["schema file none.toml"]),
        (["audit", "ledger", "none.sqlite"], ["file: ", "none.sqlite"]),
        (["audit", "ledger", "visits.csv"], ["file: ", "visits.csv"]),
    ],
    ids=lambda value: " ".join(value)[-60:] if isinstance(value, list) else None,
)
def test_a_wrong_word_is_refused(shell: CommandLine, words: list[str], expected: list[str]) -> None:
    refuse(shell, words, *expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": 0}, ["has no rows"]),
        ({"ward": None}, ["column 'ward'", "lacks it"]),
        ({"extra": 1}, ["column 'extra'", "does not know it"]),
        ({"ward": "south"}, ["column 'ward'", "none of the declared categories"]),
        ({"age": 100}, ["column 'age'", "outside the declared bounds"]),
        ({"age": "old"}, ["column 'age'", "wrong type"]),
        ({"age": 1.5}, ["column 'age'"]),
        ({"ward": ""}, ["column 'ward'", "has no value in any row"]),
        ({"sick": "yes"}, ["column 'sick' is the label, but all rows have the same class"]),
        ({"sick": [""] + ["yes", "no"] * 29 + ["no"]}, ["column 'sick'", "without a value"]),
        ({"clinic": "a"}, ["must name at least 2 sites"]),
        ({"clinic": list(range(60))}, ["every row has its own"]),
        ({"clinic": ["a" * 200, "b"] * 30}, ["must name sites by different texts"]),
        ({"ward": "south", "age": 100, "extra": 1}, ["'ward'", "'age'", "'extra'"]),
    ],
    ids=str,
)
def test_a_table_that_does_not_fit_is_refused(
    shell: CommandLine, changes: dict[str, object], expected: list[str]
) -> None:
    rows = int(str(changes.pop("rows", 60)))
    shell.write_rows("bad.csv", rows=rows, **changes)
    refuse(shell, study(data="bad.csv"), *expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epsilonn = 1", ["bad.toml: epsilonn is not a known setting", "did you mean epsilon?"]),
        ("[privacy]\nx = 1", ["privacy is not a known setting"]),
        ("[simulation]\nsite = 3", ["bad.toml, [simulation]: site", "did you mean sites?"]),
        ("simulation = 3", ["bad.toml, [simulation]"]),
        (
            "[simulation]\nsite_epsilons = [-1, 1]",
            ["site_epsilons, number 1 must be greater than 0, got -1"],
        ),
        ("epsilon = 'much'", ["epsilon must be a valid number", "got 'much'"]),
        ("rounds = 1.5", ["rounds must be a valid integer", "got 1.5"]),
        ("rounds = 0", ["rounds and adversarial_share must both be 0"]),
        ("epsilon = ", ["bad.toml is not valid TOML"]),
        ("minimum_sites = 1", ["minimum_sites must be at least 2"]),
        ("name = 'a b'", ["name must match pattern"]),
        ("epsilon = -1\nsample_rate = 2", ["epsilon must be", "sample_rate must be"]),
    ],
)
def test_a_wrong_study_file_is_refused(shell: CommandLine, text: str, expected: list[str]) -> None:
    (shell.home / "bad.toml").write_text(text)
    words = study()
    words[1] = "bad.toml"
    refuse(shell, words, *expected)
    refuse(shell, ["plan", "bad.toml"], *expected)


def test_more_sites_asked_for_than_there_are_is_refused(shell: CommandLine) -> None:
    (shell.home / "tiny.toml").write_text("minimum_sites = 3")
    refuse(shell, study(), "minimum_sites is 3 and there are 2 sites")


def test_a_person_at_two_sites_is_refused_and_told_of_the_sum(shell: CommandLine) -> None:
    unit = 'kind = "person"\nperson_column = "patient"'
    (shell.home / "visits.toml").write_text(SCHEMA.replace('kind = "record"', unit))
    shell.write_rows("visits.csv", patient=[f"p{i // 2}" for i in range(60)])
    refuse(shell, study(), "20 of 30 have rows at up to 2: what is promised", "is the sum over")


def test_a_full_output_folder_is_refused(shell: CommandLine) -> None:
    (shell.home / "release").mkdir()
    (shell.home / "release" / "mine.txt").write_text("keep")
    refuse(shell, study(), "out must be a new or empty folder, and release is not")


def test_an_output_folder_that_may_not_be_written_is_refused(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, who may write everywhere, runs this test too.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    refuse(shell, study(), "out must be where you may write")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rows", "many"], "'many' is not a valid integer"),
        (["--colour", "red"], "No such option"),
        (["--rows"], "requires an argument"),
        (["one.toml", "two.toml"], "unexpected extra argument"),
    ],
)
def test_the_parser_says_what_it_does_not_understand(
    shell: CommandLine, words: list[str], expected: str
) -> None:
    before = shell.files()
    ended = shell.run("simulate", *words)
    assert (ended.code, ended.out) == (2, "")
    assert expected in ended.err
    assert shell.files() == before


def test_the_installed_command_refuses_in_the_same_way(shell: CommandLine) -> None:
    before = shell.files()
    done = subprocess.run(
        [sys.executable, "-c", "from fedsynth.cli import main; main()", *study("--epsilon", "0")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(shell.scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fedsynth: epsilon must be greater than 0")
    assert shell.files() == before
