"""A ledger is shown, verified, exported and pictured; what was altered is found out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import CommandLine
from founded_site import FoundedSite, joined

from client.site import load_site
from fedsynth.site.gauge import draw_bar, measure
from privacy import Receipt, SigningKey, approve
from privacy.ledger_store import read_book


@pytest.fixture
def north(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FoundedSite:
    return FoundedSite(CommandLine(tmp_path, monkeypatch, capsys))


def cut_last_row(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER no_delete")
        connection.execute("DELETE FROM events WHERE id = (SELECT max(id) FROM events)")


def change_a_row(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER no_update")
        connection.execute("UPDATE events SET study = 'other' WHERE id = 2")


def test_show_tells_studies_policies_and_what_is_left(north: FoundedSite) -> None:
    north.spend("pilot", 0.2)
    north.spend("second", 0.2, rounds=0)
    north.set(max_rounds="7")
    assert north.run("policy", "approve", "--yes").code == 0
    before = north.shell.files()
    ended = north.run("ledger", "show")
    assert (ended.code, ended.err) == (0, "")
    text = joined(ended.out)
    assert "Ledger of North, data set visits.csv" in text
    for word in (
        "pilot",
        "second",
        "done",
        "sketch, round-1 to 2",
        "training",
        "max_rounds 1000 -> 7",
    ):
        assert word in text
    assert "within the budget of 1 at delta 1e-05 (unit: record" in text
    assert north.shell.files() == before


def test_show_of_a_new_ledger_says_that_nothing_was_spent(north: FoundedSite) -> None:
    ended = north.run("ledger", "show")
    assert "No study has been reserved yet." in ended.out
    assert "Spent: epsilon 0.0000" in joined(ended.out)


def test_verify_says_in_one_sentence_that_the_ledger_is_whole(north: FoundedSite) -> None:
    north.spend("pilot", 0.2)
    assert north.run("ledger", "export", "--receipt", "--out", "held.txt").code == 0
    ledger = north.spend("second", 0.2)
    key = load_site("north").public_key
    text = ledger.receipt().to_text()
    ended = north.run(
        "ledger", "verify", "--key", key.hex, "--receipt", "held.txt", "--receipt", text
    )
    assert (ended.code, ended.err) == (0, "")
    assert joined(ended.out).startswith(
        f"The ledger is whole: 13 entries, signed by {key.fingerprint}, extends the receipts over "
        "7 and 13 entries; spent epsilon 0.2"
    )
    assert joined(ended.out).endswith("of 1 at delta 1e-05.")


def test_verify_of_an_altered_ledger_says_so_with_code_1(north: FoundedSite) -> None:
    north.spend()
    change_a_row(north.path)
    ended = north.run("ledger", "verify")
    assert (ended.code, ended.err) == (1, "")
    assert joined(ended.out).startswith("The ledger cannot be trusted: row 2 was altered")
    for words in (["show"], ["export"], ["gauge"]):
        refused = north.run("ledger", *words)
        assert (refused.code, refused.out) == (1, "")
        assert "cannot be trusted: row 2 was altered" in joined(refused.err)


def test_verify_with_a_receipt_finds_a_ledger_that_was_cut_off(north: FoundedSite) -> None:
    receipt = north.spend().receipt().to_text()
    cut_last_row(north.path)
    assert north.run("ledger", "verify").code == 0
    ended = north.run("ledger", "verify", "--receipt", receipt)
    assert ended.code == 1
    assert "the end was cut off, or an old copy was put back" in joined(ended.out)


@pytest.mark.parametrize("words", [["site", "ledger", "verify", "--ledger"], ["audit", "ledger"]])
def test_a_foreign_key_or_receipt_is_found_out(north: FoundedSite, words: list[str]) -> None:
    stranger = SigningKey.generate()
    receipt = Receipt.sign(stranger, ledger="0" * 64, entries=1, head="0" * 64).to_text()
    whole = north.shell.run(*words, north.path, "--key", load_site("north").public_key.hex)
    assert whole.code == 0
    assert "The ledger is whole: 1 entry, signed by" in joined(whole.out)
    for proof in (["--key", stranger.public.hex], ["--receipt", receipt]):
        ended = north.shell.run(*words, north.path, *proof)
        assert ended.code == 1
        assert "cannot be trusted: " in joined(ended.out + ended.err)


def test_a_ledger_signed_with_another_key_than_the_folders_is_found_out(north: FoundedSite) -> None:
    Path("north/keys/site.pem").unlink()
    SigningKey.generate().save("north/keys/site.pem")
    ended = north.run("ledger", "verify")
    assert ended.code == 1
    assert "expected was" in joined(ended.out)


def test_verify_of_what_is_no_ledger_any_more(north: FoundedSite) -> None:
    Path(north.path).write_bytes(b"nothing" * 1000)
    ended = north.run("ledger", "verify")
    assert (ended.code, ended.err) == (1, "")
    assert "is not a ledger any more" in joined(ended.out)


def test_export_holds_everything_and_a_receipt_that_can_be_held_against_it(
    north: FoundedSite,
) -> None:
    north.spend()
    on_screen = north.run("ledger", "export")
    assert north.run("ledger", "export", "--out", "ledger.json").code == 0
    content = json.loads(Path("ledger.json").read_text())
    assert json.loads(on_screen.out) == content
    assert content["header"]["site"] == "North"
    assert content["policy"]["epsilon"] == 1
    assert [entry["id"] for entry in content["entries"]] == list(range(1, 8))
    assert 0.29 < content["totals"]["epsilon"]["pld"] <= 0.3
    receipt = Receipt.from_text(content["receipt"])
    assert receipt.is_signed_by(load_site("north").public_key)
    assert north.run("ledger", "export", "--receipt").out.strip() == content["receipt"]
    assert str(north.shell.home) not in on_screen.out


def test_a_copy_without_its_site_is_exported_without_a_receipt(north: FoundedSite) -> None:
    shutil.copy(north.path, "copy.sqlite")
    ended = north.shell.run("site", "ledger", "export", "--ledger", "copy.sqlite")
    assert json.loads(ended.out)["receipt"] is None
    refused = north.shell.run("site", "ledger", "export", "--ledger", "copy.sqlite", "--receipt")
    assert (refused.code, refused.out) == (2, "")
    assert "must be signed with the site's key" in refused.err


@pytest.mark.parametrize(("name", "start"), [("g.svg", b"<?xml"), ("g.png", b"\x89PNG")])
def test_gauge_draws_the_same_picture_of_the_same_ledger(
    north: FoundedSite, name: str, start: bytes
) -> None:
    north.spend("a<b", 0.2)
    north.spend("second", 0.2)
    ended = north.run("ledger", "gauge", "--out", name)
    assert (ended.code, ended.err) == (0, "")
    assert "0.2" in ended.out
    assert "second" in ended.out
    assert max(map(len, ended.out.splitlines()[:-2])) <= 80
    assert north.run("ledger", "gauge", "--out", f"again-{name}").code == 0
    assert Path(name).read_bytes().startswith(start)
    assert Path(name).read_bytes() == Path(f"again-{name}").read_bytes()


def test_the_gauge_follows_reservations_and_policies(north: FoundedSite) -> None:
    north.spend("first", 0.2)
    ledger = north.open()
    looser = ledger.policy.model_copy(update={"epsilon": 2.0})
    officer = SigningKey.load("officer.pem")
    ledger.change_policy(looser, approve(looser, replacing=ledger.policy_digest, key=officer))
    ledger = north.spend("second", 0.3)
    gauge = measure(read_book(Path(north.path)))
    assert [reading.study for reading in gauge.readings] == ["", "first", "", "second"]
    assert [reading.allowed for reading in gauge.readings] == [1, 1, 2, 2]
    spent = [reading.epsilon for reading in gauge.readings]
    assert spent[0] == 0
    assert spent[1] == spent[2] == pytest.approx(0.2, rel=0.01)
    assert spent[3] == ledger.epsilon()


def test_many_reservations_are_joined_and_the_last_one_stays(
    north: FoundedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedsynth.site.gauge._MAX_POINTS", 2)
    for number in range(5):
        ledger = north.spend(f"study-{number}", 0.05)
    gauge = measure(read_book(Path(north.path)))
    assert [r.study for r in gauge.readings] == ["", "study-2", "study-4"]
    assert gauge.readings[-1].epsilon == ledger.epsilon()
    assert "Some of 5 reservations" in north.run("ledger", "gauge").out


def test_a_bar_shows_whatever_was_spent_and_is_full_only_at_the_end() -> None:
    assert draw_bar(0, 4) == "[....]"
    assert draw_bar(1e-9, 4) == "[#...]"
    assert draw_bar(0.999, 4) == "[###.]"
    assert draw_bar(1, 4) == draw_bar(7, 4) == "[####]"
