"""The command line in normal use, on a study so small that it says nothing about quality."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command_line import CommandLine, write_inputs
from stages import but_for
from visits import write_visits

import fedsynth
from synthesis.schema import check_table, load_schema
from synthesis.tables import read_table


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that several tests may copy."""
    home = tmp_path_factory.mktemp("made")
    write_inputs(home)
    release = home / "release"
    fedsynth.simulate(
        home / "tiny.toml",
        data=home / "visits.csv",
        schema=home / "visits.toml",
        partition="column:clinic",
        out=release,
    )
    return release


def read_release(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "synthetic.parquet")


def test_simulate_writes_a_release_and_says_what_it_did(shell: CommandLine) -> None:
    ended = shell.simulate("--out", "release", "--rows", "200")
    assert (ended.code, ended.err) == (0, "")
    for text in ("2 sites: a; b", "hello", "sketch", "fit", "round 1 of 1: 2 valid replies"):
        assert text in ended.out
    assert "epsilon spent so far, of 1: a 0.999" in ended.out
    assert "200 synthetic rows in release" in ended.out
    assert max(map(len, ended.out.split("Figures")[1].splitlines())) <= 80
    release = shell.home / "release"
    assert {path.name for path in release.iterdir()} == {
        "synthetic.parquet",
        "generator.safetensors",
        "generator.json",
        "schema.toml",
        "report.json",
        "report.html",
        "DATA_CARD.md",
        "croissant.json",
        "release.intoto.json",
        "receipts",
        "sites",
    }
    table = read_table(release / "synthetic.parquet")
    assert len(table) == 200
    assert check_table(load_schema(release / "schema.toml"), table) == []
    assert list(shell.scratch.glob("fedsynth-*")) == []


def test_no_row_of_a_site_is_in_the_release_folder(made: Path) -> None:
    files = {p.name for p in (made / "sites").rglob("*") if p.is_file()}
    assert files == {"ledger.sqlite", "schema.toml", "site.toml"}


def test_the_report_names_sites_by_their_column(made: Path) -> None:
    report = json.loads((made / "report.json").read_text())
    assert [site["name"] for site in report["sites"]] == ["a", "b"]
    assert [each["site"] for each in report["cost"]["traffic"]] == ["a", "b"]
    assert all(each["bytes_up"] > 0 for each in report["cost"]["traffic"])
    for site in report["sites"]:
        assert 0.99 < site["total"]["pld"] <= 1
        assert {event["purpose"] for event in site["events"]} == {"sketch", "training"}
        assert {event["state"] for event in site["events"]} == {"done"}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    shell: CommandLine, made: Path
) -> None:
    for name, seed in (("again", "0"), ("other", "4")):
        assert shell.simulate("--out", name, "--seed", seed).code == 0
    one, two, other = (
        (folder / "synthetic.parquet").read_bytes()
        for folder in (made, shell.home / "again", shell.home / "other")
    )
    assert one == two
    assert one != other


def test_the_sketch_alone_must_be_asked_for_and_takes_the_whole_budget(shell: CommandLine) -> None:
    assert shell.simulate("--out", "release", "--rounds", "0").code == 0
    report = json.loads((shell.home / "release" / "report.json").read_text())
    assert [e["purpose"] for e in report["sites"][0]["events"]] == ["sketch"]
    assert [row["kind"] for row in report["utility"]["rows"]] == ["real", "floor", "sketch"]


def test_an_empty_folder_is_filled_and_missing_folders_are_made(shell: CommandLine) -> None:
    (shell.home / "empty").mkdir()
    inode = (shell.home / "empty").stat().st_ino
    assert shell.simulate("--out", "empty").code == 0
    assert (shell.home / "empty").stat().st_ino == inode  # it may be a mount
    assert (shell.home / "empty" / "report.html").is_file()
    assert not [p for p in (shell.home / "empty").iterdir() if p.name.startswith(".")]
    assert shell.simulate("--out", "deep/er/release").code == 0
    assert (shell.home / "deep" / "er" / "release" / "report.html").is_file()


def test_options_go_before_the_file(shell: CommandLine) -> None:
    (shell.home / "tiny.toml").write_text(
        (shell.home / "tiny.toml").read_text()
        + 'epsilon = 9.0\n[simulation]\ndemo = "adult"\nrows = 30\n'
    )
    assert shell.simulate("--out", "release", "--epsilon", "2").code == 0
    report = json.loads((shell.home / "release" / "report.json").read_text())
    assert report["dataset"] == "visits"
    assert report["promise"]["epsilon"] == 2
    assert all(1.98 < site["total"]["pld"] <= 2 for site in report["sites"])
    assert report["release"]["rows"] == 30


@pytest.mark.parametrize(
    "partition", but_for(["iid", "dirichlet", "column:ward", "column:sick"], "dirichlet")
)
def test_every_partition_works(shell: CommandLine, partition: str) -> None:
    shell.write_rows("visits.csv", ward=["east", "west"] * 30)
    ended = shell.simulate("--partition", partition, "--out", "release")
    assert ended.code == 0, ended.err


def test_a_site_with_one_class_or_one_row_takes_part(shell: CommandLine) -> None:
    clinics = ["a"] + ["b" if i % 4 == 0 else "c" for i in range(1, 60)]  # b: all sick, a: one row
    shell.write_rows("visits.csv", clinic=clinics)
    ended = shell.simulate("--out", "release")
    assert ended.code == 0, ended.err
    assert "3 sites: a; b; c" in ended.out
    assert len(read_release(shell.home / "release")) > 0


def test_names_that_look_like_markup_are_shown_as_they_are(shell: CommandLine) -> None:
    shell.write_rows("visits.csv", clinic=["[/red]", "[bold]x"] * 30)
    ended = shell.simulate("--out", "release")
    assert ended.code == 0, ended.err
    assert "2 sites: [/red]; [bold]x" in ended.out
    ledger = shell.run("audit", "ledger", "release/sites/site-1/ledger.sqlite")
    assert "Ledger of [/red]" in ledger.out


def test_a_release_gives_more_rows_and_its_ledger_is_checked(
    shell: CommandLine, made: Path
) -> None:
    shutil.copytree(made, shell.home / "release")
    words = ["sample", "release", "--rows", "40", "--seed", "7", "--where", "sick=yes"]
    for name in ("a.csv", "b.csv"):
        ended = shell.run(*words, "--where", "age>=50", "--out", name)
        assert (ended.code, ended.err) == (0, "")
        assert "40 rows" in ended.out
    table = read_table("a.csv")
    assert set(table["sick"]) == {"yes"}
    assert table["age"].min() >= 50
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    ledger = shell.run("audit", "ledger", "release/sites/site-1/ledger.sqlite")
    assert ledger.code == 0
    assert "Ledger of a, data set rows.parquet" in ledger.out
    assert "within the budget of 1 at delta 1e-05" in ledger.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rows", "0"], "rows must be at least 1, got 0"),
        (["--rows", "5", "--seed", "-1"], "seed must be 0 or more"),
        (["--rows", "5", "--seed", str(2**63)], "seed must be 0 or more and below 2^63"),
        (["--rows", "5", "--where", "sick=maybe"], "maybe"),
        (["--rows", "5", "--where", "height>1"], "height"),
        (["--rows", "5", "--where", "age>old"], "age"),
        (
            ["--rows", "5", "--where", "sick=yes", "--where", "sick=no"],
            "condition 'sick=no' cannot be met",
        ),
        (["--rows", "5", "--where", "sick"], "sick"),
    ],
)
def test_impossible_samples_are_refused(
    shell: CommandLine, made: Path, words: list[str], expected: str
) -> None:
    shutil.copytree(made, shell.home / "release")
    before = shell.files()
    ended = shell.run("sample", "release", *words, "--out", "a.csv")
    assert (ended.code, ended.out) == (2, "")
    assert expected in ended.err
    assert ended.err.count("\n") == 1
    assert shell.files() == before


@pytest.mark.parametrize("name", ["generator.json", "generator.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"[1]", None])
def test_a_broken_release_is_refused(
    shell: CommandLine, made: Path, name: str, content: bytes | None
) -> None:
    shutil.copytree(made, shell.home / "release")
    path = shell.home / "release" / name
    path.unlink() if content is None else path.write_bytes(content)
    before = shell.files()
    ended = shell.run("sample", "release", "--rows", "5", "--out", "a.csv")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("fedsynth: ")
    assert ended.err.count("\n") == 1
    assert shell.files() == before


def test_plan_shows_both_mechanisms_and_spends_nothing(shell: CommandLine) -> None:
    before = shell.files()
    ended = shell.run("plan", "tiny.toml")
    assert ended.code == 0
    for text in ("sketch", "training", "Poisson-sampled", "Nothing has run"):
        assert text in ended.out
    assert shell.files() == before


def test_a_draft_warns_that_it_read_private_rows_and_fits_them(shell: CommandLine) -> None:
    words = ["schema", "draft", "visits.csv", "--label", "sick", "--out", "draft.toml"]
    drafted = shell.run(*words)
    assert drafted.code == 0
    assert "reading private rows" in drafted.out
    assert "a person has checked" in drafted.out
    checked = shell.run("schema", "check", "draft.toml", "visits.csv")
    assert (checked.code, checked.out) == (0, "60 rows fit the schema 'visits'.\n")


def test_persons_go_from_the_draft_to_the_release(shell: CommandLine) -> None:
    write_visits(shell.home)
    shell.home.joinpath("visits.toml").unlink()
    draft = "schema draft visits.csv --label sick --person patient --out visits.toml"
    assert "protects each person" in " ".join(shell.run(*draft.split()).out.split())
    checked = shell.run("schema", "check", "visits.toml", "visits.csv")
    assert (checked.code, checked.err) == (0, "")
    made = shell.simulate("--out", "release")
    assert (made.code, made.err) == (0, "")
    assert "for one person more or less" in " ".join(made.out.split())
    replayed = shell.run("audit", "ledger", "release/sites/site-1/ledger.sqlite")
    assert "unit: person" in " ".join(replayed.out.split())


def test_check_lists_every_violation_by_column_and_rule_with_counts(shell: CommandLine) -> None:
    shell.write_rows("bad.csv", age=[120] * 3 + [5] * 57, ward="south")
    ended = shell.run("schema", "check", "visits.toml", "bad.csv")
    assert ended.code == 1
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["age", "out", "of", "bounds", "3"] in [
        [word for part in line for word in part.replace("-", " ").replace("_", " ").split()]
        for line in lines
    ]
    assert "For this screen only" in ended.out
    assert "column 'ward' has 60 cells" in ended.out


@pytest.mark.parametrize("package", ["fedsynth", "client"])
@pytest.mark.parametrize(("given", "wanted"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "X"}, "X")])
def test_waiting_threads_sleep_unless_asked_otherwise(
    package: str, given: dict[str, str], wanted: str
) -> None:
    variables = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | given
    words = [sys.executable, "-c", f"import {package}, os; print(os.environ['OMP_WAIT_POLICY'])"]
    said = subprocess.run(words, env=variables, check=True, capture_output=True, text=True).stdout
    assert said.strip() == wanted
