"""A policy is tightened freely and loosened by an approver's signature only."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine
from founded_site import FoundedSite, joined

from privacy import Ledger, Policy


@pytest.fixture
def north(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FoundedSite:
    return FoundedSite(CommandLine(tmp_path, monkeypatch, capsys))


def in_force(north: FoundedSite) -> Policy:
    return Ledger.open(north.path).policy


def test_show_tells_the_policy_in_force_and_writes_nothing(north: FoundedSite) -> None:
    before = north.shell.files()
    same = north.run("policy", "show")
    assert (same.code, same.err) == (0, "")
    assert "site.toml says the same" in same.out
    assert "Officer" in same.out
    assert north.shell.files() == before


def test_show_tells_looser_from_tighter(north: FoundedSite) -> None:
    north.set(epsilon="2.0", max_rounds="5")
    before = north.shell.files()
    ended = north.run("policy", "show")
    rows = {x.split()[0]: x for x in ended.out.splitlines() if x.strip()}
    assert rows["epsilon"].split() == ["epsilon", "1", "2", "LOOSER"]
    assert rows["max_rounds"].split() == ["max_rounds", "1000", "5", "tighter"]
    assert "Until it is approved by Officer" in joined(ended.out)
    assert north.shell.files() == before
    north.set(epsilon="0.5")
    assert "only tightens" in joined(north.run("policy", "show").out)


def test_an_approver_puts_a_looser_policy_in_force_and_the_ledger_says_who(
    north: FoundedSite,
) -> None:
    north.set(epsilon="2.0")
    ended = north.run("policy", "approve", "--key", "officer.pem", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert "would allow more than now: epsilon" in joined(ended.out)
    assert in_force(north).epsilon == 2
    shown = joined(north.run("ledger", "show").out)
    assert "epsilon 1 -> 2" in shown
    assert "approved by Officer" in shown
    again = north.run("policy", "approve", "--key", "officer.pem", "--yes")
    assert "nothing to approve" in again.out


@pytest.mark.parametrize(("answer", "code", "epsilon"), [("y", 0, 2), ("n", 1, 1), ("", 1, 1)])
def test_loosening_asks_first(
    north: FoundedSite,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    epsilon: float,
) -> None:
    north.set(epsilon="2.0")
    answers = iter([answer] if answer else [])

    def read_line(prompt: str = "") -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("click.termui.visible_prompt_func", read_line)
    ended = north.run("policy", "approve", "--key", "officer.pem")
    assert ended.code == code
    assert ("Nothing was changed." in ended.out) == (code == 1)
    assert in_force(north).epsilon == epsilon


def test_tightening_needs_no_key(north: FoundedSite) -> None:
    north.set(epsilon="0.5")
    ended = north.run("policy", "approve", "--yes")
    assert ended.code == 0
    assert "needed no approval" in joined(ended.out)
    assert in_force(north).epsilon == 0.5


def test_loosening_without_an_approvers_key_is_refused(north: FoundedSite) -> None:
    north.set(epsilon="2.0")
    assert north.shell.run("keys", "new", "stranger.pem").code == 0
    before = north.shell.files()
    for words, expected in (
        ([], "key must be given"),
        (["--key", "stranger.pem"], "key must be that of an approver"),
        (["--key", "none.pem"], "none.pem cannot be read"),
        (["--key", "flu.toml"], "must hold an unencrypted Ed25519 key"),
    ):
        ended = north.run("policy", "approve", "--yes", *words)
        assert (ended.code, ended.out) == (2, "")
        assert expected in ended.err
        assert ended.err.count("\n") == 1
    assert north.shell.files() == before


@pytest.mark.parametrize("change", [{"delta": "1e-6"}, {"unit": '"person"'}, {"holdout": "0.2"}])
def test_what_is_fixed_for_life_cannot_be_approved(
    north: FoundedSite, change: dict[str, str]
) -> None:
    north.set(**change)
    for words in (["show"], ["approve", "--key", "officer.pem", "--yes"]):
        ended = north.run("policy", *words)
        assert (ended.code, ended.out) == (2, "")
        assert next(iter(change)) in ended.err
    assert in_force(north).epsilon == 1


def ask_and_answer(north: FoundedSite) -> None:
    north.set(epsilon="2.0")
    asked = north.run("policy", "request", "--out", "request.json")
    assert (asked.code, asked.err) == (0, "")
    signed = north.shell.run(
        *("site", "policy", "approve", "--request", "request.json", "--key", "officer.pem"),
        *("--out", "approval.json", "--yes"),
    )
    assert (signed.code, signed.err) == (0, "")
    assert "epsilon" in signed.out


def test_an_approver_elsewhere_answers_a_request(north: FoundedSite) -> None:
    ask_and_answer(north)
    assert in_force(north).epsilon == 1
    ended = north.run("policy", "accept", "approval.json")
    assert (ended.code, ended.err) == (0, "")
    assert in_force(north).epsilon == 2
    assert "in force already" in north.run("policy", "accept", "approval.json").out


def test_an_approval_is_for_one_policy_at_one_place(north: FoundedSite) -> None:
    ask_and_answer(north)
    north.set(epsilon="3.0")
    other = north.run("policy", "accept", "approval.json")
    assert (other.code, other.out) == (2, "")
    assert "must be for the policy that stands in site.toml" in other.err
    north.set(epsilon="0.5")
    assert north.run("policy", "approve", "--yes").code == 0
    north.set(epsilon="2.0")
    stale = north.run("policy", "accept", "approval.json")
    assert (stale.code, stale.out) == (1, "")
    assert "would be looser without an approval" in stale.err
    assert in_force(north).epsilon == 0.5


def test_an_approval_that_was_changed_on_its_way_is_refused(north: FoundedSite) -> None:
    ask_and_answer(north)
    text = Path("approval.json").read_text()
    Path("approval.json").write_text(text.replace('"epsilon": 2.0', '"epsilon": 9.0'))
    north.set(epsilon="9.0")
    ended = north.run("policy", "accept", "approval.json")
    assert (ended.code, ended.out) == (1, "")
    assert in_force(north).epsilon == 1
