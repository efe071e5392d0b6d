"""``fedsynth audit rows`` as a site's engineer sees it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from attacked_tables import ROOMY, draw_rows
from command_line import CommandLine
from report_states import foreseen_attack, succeeding_attack, without_pictures
from signed_release import make_release_report, sign_again, write_signed
from tiny_sites import make_study
from tiny_world import SCHEMA, make_generator

import fedsynth
from fedsynth.attack_view import describe
from privacy import Part
from privacy.audits import ledger_curve
from server.report import SITE_MARK, Attack, Attacks
from server.report.answers import find_audit_words
from synthesis import decode
from synthesis.model_files import save_generator
from synthesis.sampling import sample_table
from synthesis.schema import dump_schema


def draw(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return decode(ROOMY, draw_rows(rows, rng), rng)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """A release from rows that nobody holds, and two tables of as many other rows."""
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    release = tmp_path / "release"
    release.mkdir()
    save_generator(release, make_generator(ROOMY), ROOMY)
    (release / "schema.toml").write_text(dump_schema(ROOMY))
    draw(1000, 1).to_parquet(release / "synthetic.parquet")
    draw(300, 2).to_csv(tmp_path / "mine.csv", index=False)
    draw(250, 3).to_csv(tmp_path / "others.csv", index=False)
    return shell


TABLES = ("--members", "mine.csv", "--others", "others.csv")


def test_a_release_that_gives_nothing_away_ends_with_zero_and_says_what_that_is_worth(
    shell: CommandLine,
) -> None:
    ended = shell.run("audit", "rows", "release", *TABLES)
    assert (ended.code, ended.err) == (0, "")
    said = " ".join(ended.out.split())
    for words in (
        "None of 8 attacks did better than chance explains (5%",
        "An attack that fails proves nothing",
        SITE_MARK,
        "membership: density",
    ):
        assert words in said
    assert max(len(line) for line in ended.out.splitlines() if line.endswith(" ")) <= 80


def test_success_that_the_promise_allows_is_told_from_success_beyond_it() -> None:
    found = Attack(
        kind="membership",
        name="x",
        measure="auc",
        tried=2000,
        found=0.52,
        low=0.51,
        high=0.53,
        baseline=0.5,
        allowed=0.58,
        control=0.99,
        control_succeeds=True,
        succeeds=True,
    )
    said = describe(Attacks(attacks=(found,)))
    assert said.startswith("1 of 1 attack succeeded, within what the promise")
    assert "x 0.520 (the promise allows up to 0.580)" in said
    for allowed, loud in (
        (None, "2 of 2 attacks SUCCEEDED"),
        (0.505, "MORE"),
    ):
        beyond = found.model_copy(update={"allowed": allowed})
        assert describe(Attacks(attacks=(found, beyond))).startswith(loud)
    helpless = found.model_copy(update={"succeeds": False, "control_succeeds": False})
    assert "Nothing follows" in describe(Attacks(attacks=(helpless,)))


def test_terminal_and_page_count_the_same_attacks_in_the_same_words() -> None:
    for state in (without_pictures, foreseen_attack, succeeding_attack):
        report = state()
        (words,) = (
            each for each in find_audit_words(report) if describe(report.attacks).startswith(each)
        )
        assert describe(report.attacks).startswith(words)


def test_copies_alone_are_no_attack_and_are_told_all_the_same() -> None:
    attacks = without_pictures().attacks
    assert attacks is not None
    *others, copies = attacks.attacks
    for allowed, how in ((None, "MORE THAN CHANCE"), (0.067, "more than chance, within")):
        more = copies.model_copy(update={"succeeds": True, "allowed": allowed})
        said = describe(attacks.model_copy(update={"attacks": (*others, more)}))
        assert said.startswith("None of 4 attacks")
        assert f"no attack: rows that are equal in all columns 0.031, {how}" in said
    beyond = copies.model_copy(update={"succeeds": True, "allowed": 0.01})
    said = describe(attacks.model_copy(update={"attacks": (*others, beyond)}))
    assert said.startswith("MORE THAN THE PROMISE ALLOWS was found by rows that are equal")
    assert "no attack" not in said


def test_all_win_the_control_is_said_only_of_attacks_that_were_tried_on_it() -> None:
    attacks = without_pictures().attacks
    assert attacks is not None
    untried = {"control": None, "control_succeeds": None}
    silent = tuple(each.model_copy(update=untried) for each in attacks.attacks)
    said = describe(attacks.model_copy(update={"attacks": silent}))
    assert "No control was tried: an attack that cannot win is no evidence" in said
    assert "win." not in said
    said = describe(attacks)
    assert "No control was tried for rare combinations of three columns: an attack" in said
    assert "win." not in said
    won = tuple(each.model_copy(update={"control_succeeds": True}) for each in attacks.attacks)
    said = describe(attacks.model_copy(update={"attacks": won}))
    assert said.endswith("a table that remembers its rows, all of them win.")


def test_what_the_promise_allows_follows_from_the_signed_statement(shell: CommandLine) -> None:
    write_signed(shell.home / "signed", make_release_report())
    for name, seed in (("mine.csv", 8), ("others.csv", 9)):
        sample_table(make_generator(), SCHEMA, 300, seed=seed).to_csv(
            shell.home / name, index=False
        )
    ended = shell.run("audit", "rows", "signed", *TABLES, "--json")
    assert ended.err == ""
    attacks = Attacks.model_validate_json(ended.out)
    assert attacks.unknown_promise is None
    allowed = {attack.kind: attack.allowed for attack in attacks.attacks}
    events = make_study().make_plan().events()
    training = [event for event in events if event.part is Part.TRAINING]
    curve = ledger_curve(training, make_study().delta)
    wanted = 1 - np.mean([curve(share) for share in np.linspace(0, 1, 1001)[:-1]])
    assert allowed["membership"] == pytest.approx(wanted)
    assert allowed["attribute"] is not None and allowed["singling-out"] is None
    assert f"{wanted:.3f}" in shell.run("audit", "rows", "signed", *TABLES).out


def test_a_statement_that_does_not_hold_excuses_nothing(shell: CommandLine) -> None:
    said = " ".join(shell.run("audit", "rows", "release", *TABLES).out.split())
    assert "Nobody knows what the promise allows, so no success is called within it:" in said
    assert "there is no signed statement" in said
    write_signed(shell.home / "signed", make_release_report())
    sign_again(shell.home / "signed", lambda claim: claim["subject"].pop())
    for name, seed in (("mine.csv", 8), ("others.csv", 9)):
        sample_table(make_generator(), SCHEMA, 300, seed=seed).to_csv(
            shell.home / name, index=False
        )
    attacks = Attacks.model_validate_json(
        shell.run("audit", "rows", "signed", *TABLES, "--json").out
    )
    assert (
        attacks.unknown_promise is not None and "is not as it was signed" in attacks.unknown_promise
    )
    assert all(attack.allowed is None for attack in attacks.attacks)


def test_a_release_that_copies_its_rows_ends_with_one(shell: CommandLine) -> None:
    mine = pd.read_csv(shell.home / "mine.csv", dtype={"visits": "Int64"})
    published = draw(1000, 1)
    copied = mine.sample(1000, replace=True, random_state=0).reset_index(drop=True)
    copied.astype(published.dtypes.to_dict()).to_parquet(shell.home / "release/synthetic.parquet")
    ended = shell.run("audit", "rows", "release", *TABLES)
    assert (ended.code, ended.err) == (1, "")
    said = " ".join(ended.out.split())
    assert "of 8 attacks SUCCEEDED" in said and "YES" in said
    assert "Duplicate check, no attack: rows that occur among the synthetic ones" in said


def test_the_figures_go_to_programs_and_into_a_new_file_without_any_value(
    shell: CommandLine,
) -> None:
    words = ("audit", "rows", "release", *TABLES, "--json", "--out", "report.json")
    ended = shell.run(*words)
    assert ended.code == 0
    content = (shell.home / "report.json").read_text()
    assert json.loads(ended.out) == json.loads(content)
    attacks = Attacks.model_validate_json(content)
    assert attacks.mark == SITE_MARK
    assert attacks.attacks[0].tried == 250
    again = fedsynth.attack_rows(
        shell.home / "release", shell.home / "mine.csv", shell.home / "others.csv"
    )
    assert again == attacks
    assert shell.run(*words).code == 2  # the file exists


@pytest.mark.parametrize(
    ("members", "others", "words"),
    [
        ("few.csv", "others.csv", "members must hold at least 100 rows"),
        ("mine.csv", "few.csv", "others must hold at least 100 rows"),
        ("mine.csv", "mine.csv", "must not hold the same rows"),
        ("mine.csv", "narrow.csv", "others: the table does not fit the schema 'roomy'"),
        ("absent.csv", "others.csv", "members: data file absent.csv does not exist"),
    ],
)
def test_tables_that_show_nothing_are_refused(
    shell: CommandLine, members: str, others: str, words: str
) -> None:
    draw(99, 4).to_csv(shell.home / "few.csv", index=False)
    draw(200, 4).drop(columns="town").to_csv(shell.home / "narrow.csv", index=False)
    ended = shell.run("audit", "rows", "release", "--members", members, "--others", others)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err and ended.err.count("\n") == 1


def test_a_person_in_both_tables_is_refused(shell: CommandLine) -> None:
    unit = {"kind": "person", "person_column": "id"}
    schema = ROOMY.model_validate({**ROOMY.model_dump(), "unit": unit})
    save_generator(shell.home / "release", make_generator(schema), schema)
    for name, first in (("mine.csv", 0), ("others.csv", 119)):
        table = draw(240, first + 5)
        table["id"] = [f"p{first + number // 2}" for number in range(240)]
        table.to_csv(shell.home / name, index=False)
    ended = shell.run("audit", "rows", "release", *TABLES)
    assert ended.code == 2
    assert "must not share a person, and they share 1;" in ended.err
    assert "p119" not in ended.err


def test_a_folder_without_rows_is_refused(shell: CommandLine) -> None:
    (shell.home / "release/synthetic.parquet").unlink()
    ended = shell.run("audit", "rows", "release", *TABLES)
    assert ended.code == 2
    assert "release folder must hold synthetic.parquet" in ended.err
    shutil.rmtree(shell.home / "release")
    assert shell.run("audit", "rows", "release", *TABLES).code == 2
