"""``fedsynth audit step`` and ``rehearse`` as a person and as a program see them."""

from __future__ import annotations

import json
from collections.abc import Callable

import broken_releases as broken
import pytest
from command_line import CommandLine
from signed_release import make_canaries, make_release_report, write_signed

import fedsynth

STUDY = """
name = "flu"
epsilon = 1.0
adversarial_share = 0.0
rounds = 0
"""
SCHEMA = ("--schema", "visits.toml")


@pytest.fixture
def shell(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    (shell.home / "flu.toml").write_text(STUDY)
    # Canaries need room: with few different rows they are in each other's way.
    columns = (shell.home / "visits.toml").read_text().replace("bins = 10", "")
    lab = '[[columns]]\nname = "lab"\nkind = "integer"\nminimum = 0\nmaximum = 49\n'
    (shell.home / "visits.toml").write_text(columns + lab)
    return shell


def widest(text: str) -> int:
    """Columns of the tables; sentences are broken by the terminal."""
    return max(len(line) for line in text.splitlines() if line.endswith(" "))


def test_the_step_audit_says_what_was_tried_and_what_it_means(shell: CommandLine) -> None:
    ended = shell.run("audit", "step", "--trials", "12", *SCHEMA)
    assert (ended.code, ended.err) == (0, "")
    for words in ("sketch", "evaluation-scores", "discriminator step", "No violation found"):
        assert words in ended.out
    assert widest(ended.out) <= 80


def test_the_step_audit_tries_a_studys_own_clip_and_batch(shell: CommandLine) -> None:
    (shell.home / "own.toml").write_text("max_grad_norm = 3.0\nnominal_rows = 400\n")
    words = ("--study", "own.toml", "--trials", "12", "--json")
    content = json.loads(shell.run("audit", "step", *SCHEMA, *words).out)
    assert content["mechanisms"][-1]["name"] == "discriminator step, clip 3, batch 40"
    assert content["holds"]


def test_a_step_that_is_broken_ends_with_one_and_a_sentence(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.tripled_clip(monkeypatch)
    ended = shell.run("audit", "step", "--trials", "30", *SCHEMA)
    assert (ended.code, ended.err) == (1, "")
    said = [line for line in ended.out.splitlines() if line.startswith("VIOLATION")]
    assert len(said) == 1
    assert "by 3 times the sensitivity that the ledger charges for" in said[0]


def test_the_rehearsal_is_a_table_that_fits_and_one_verdict(shell: CommandLine) -> None:
    ended = shell.run("audit", "rehearse", "flu.toml", "--rows", "50", "--seed", "1", *SCHEMA)
    assert (ended.code, ended.err) == (0, "")
    assert widest(ended.out) <= 80
    for words in (
        "Rehearsal of study flu",
        "not refuted",
        "noticed",
        "1,000 made-up records",
        "95% confidence",
        "No site's rows were read and nothing was spent",
        "A lower bound of 0 means: no violation shown",
    ):
        assert words in ended.out


@pytest.mark.parametrize(
    ("breaks", "code", "verdict"),
    [(None, 0, "too weak"), (broken.quarter_noise_in_the_sketch, 1, "REFUTED")],
)
def test_only_a_refuted_claim_ends_with_one(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch, breaks: Callable | None, code, verdict
) -> None:
    if breaks is None:
        (shell.home / "flu.toml").write_text(STUDY.replace("1.0", "20.0"))
    else:
        breaks(monkeypatch)
    words = ("--rows", "50", "--seed", "1", "--json")
    ended = shell.run("audit", "rehearse", "flu.toml", *SCHEMA, *words)
    content = json.loads(ended.out)
    assert ended.code == code
    assert content["refuted"] is bool(code)
    assert [claim["verdict"] for claim in content["claims"]] == [verdict]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("step", "--trials", "0"), "trials must be between 1 and 1,000,000, got 0"),
        (("step", "--study", "none.toml"), "study must be a TOML file, and there is none at"),
        (("rehearse", "none.toml"), "study must be a TOML file, and there is none at"),
        (("rehearse", "flu.toml", "--canaries", "10"), "canaries must be between 1,000 and 5,000"),
        (("rehearse", "flu.toml", "--rows", "-1"), "rows must be between 0 and 100,000, got -1"),
        (("rehearse", "flu.toml", "--schema", "no.toml"), "no.toml"),
        (("rehearse", "auto.toml"), "adversarial_share must be a number for an audit"),
        (("study", "nowhere"), "there is no folder nowhere"),
        (("study", "."), "release.intoto.json is missing"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(shell: CommandLine, words, said: str) -> None:
    (shell.home / "auto.toml").write_text('adversarial_share = "auto"\n')
    ended = shell.run("audit", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_the_same_from_python(shell: CommandLine) -> None:
    audit = fedsynth.audit_step(schema="visits.toml", trials=4)
    assert isinstance(audit, fedsynth.StepAudit)
    assert audit.holds
    rehearsal = fedsynth.rehearse("flu.toml", schema="visits.toml", rows=50, seed=1)
    assert isinstance(rehearsal, fedsynth.Rehearsal)
    assert rehearsal.study == "flu"


def test_a_simulation_is_audited_with_its_own_schema_and_no_row_of_it(shell: CommandLine) -> None:
    source = '[simulation]\ndata = "nowhere.csv"\nschema = "visits.toml"\n'
    (shell.home / "own.toml").write_text(STUDY + source)
    ended = shell.run("audit", "rehearse", "own.toml", "--rows", "10", "--seed", "2", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["source"] == "rows drawn uniformly from the schema"


def test_the_study_audit_says_what_the_canaries_of_a_release_show(shell: CommandLine) -> None:
    canaries = make_canaries(south=False)
    write_signed(shell.home / "release", make_release_report(canaries), canaries)
    ended = shell.run("audit", "study", "release")
    assert (ended.code, ended.err) == (0, "")
    for words in ("north", "not refuted", "south", "not opened", "No violation shown", "2.78"):
        assert words in ended.out
    assert widest(ended.out) <= 80
    content = json.loads(shell.run("audit", "study", "release", "--json").out)
    assert (content["audit"], content["holds"], content["refuted"]) == ("study", True, False)
    assert [site["site"] for site in content["sites"]] == ["north", "south"]
    assert fedsynth.audit_study("release").to_dict() == content


def test_an_audit_that_does_not_follow_ends_with_one(shell: CommandLine) -> None:
    canaries = make_canaries()
    write_signed(shell.home / "release", make_release_report(canaries), canaries)
    path = shell.home / "release" / "canaries.json"
    path.write_text(path.read_text().replace('"guesses": 50', '"guesses": 52', 1))
    ended = shell.run("audit", "study", "release")
    assert (ended.code, ended.err) == (1, "")
    assert "does not follow from the release: canaries.json was altered (and " in ended.out


def test_a_release_without_canaries_is_said_to_have_none(shell: CommandLine) -> None:
    write_signed(shell.home / "release", make_release_report())
    ended = shell.run("audit", "study", "release")
    assert ended.code == 0
    assert ended.out == ("No site planted canaries in this study, so there is nothing to audit.\n")
