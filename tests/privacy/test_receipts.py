"""Receipts: what others hold shows that a ledger lost its end, went back, or was written anew."""

import dataclasses
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from signed_ledgers import (
    KEY,
    OTHER_KEY,
    SMALL,
    alter,
    create_ledger,
    drop_triggers,
    make_policy,
    open_ledger,
)

from privacy import Ledger, LedgerBroken, Receipt, replay_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = create_ledger(tmp_path / "l")
    made.reserve("first", [SMALL])
    return made


def check_both(path: Path, receipt: Receipt, match: str) -> None:
    """The ledger by itself looks right; only the receipt tells."""
    again = open_ledger(path)
    with pytest.raises(LedgerBroken, match=match):
        again.check_receipt(receipt)
    with pytest.raises(LedgerBroken, match=match):
        replay_ledger(path, receipts=[receipt])


def test_a_receipt_stays_true_while_the_ledger_grows(ledger: Ledger) -> None:
    held = []
    for number in range(5):
        ledger.mark(ledger.reserve(f"study-{number}", [SMALL]), "running", "sketch")
        held.append(ledger.receipt())
    for older, newer in pairwise(held):
        newer.check_follows(older)
        newer.check_follows(newer)
    again = open_ledger(ledger.path)
    for receipt in held:
        assert receipt.is_signed_by(KEY.public)
        assert not receipt.is_signed_by(OTHER_KEY.public)
        again.check_receipt(receipt)
    assert replay_ledger(ledger.path, receipts=held).head == held[-1].head


def test_a_cut_off_end_is_found(ledger: Ledger) -> None:
    receipt = ledger.receipt()
    drop_triggers(ledger.path)
    alter(ledger.path, "DELETE FROM events WHERE id = 2")
    check_both(ledger.path, receipt, "2 entries and 1 are here: the end was cut off")


def test_an_old_copy_put_back_is_found(ledger: Ledger) -> None:
    copy = ledger.path.with_name("copy")
    shutil.copy(ledger.path, copy)
    before = ledger.receipt()
    ledger.reserve("second", [SMALL])
    receipt = ledger.receipt()
    shutil.copy(copy, ledger.path)
    with pytest.raises(LedgerBroken, match="row 3 was verified before and was altered or removed"):
        ledger.head()
    check_both(ledger.path, receipt, "or an old copy was put back")
    back = open_ledger(ledger.path).receipt()
    with pytest.raises(LedgerBroken, match="the ledger went back from 3 entries to 2"):
        back.check_follows(receipt)
    back.check_follows(before)


def test_two_copies_that_were_both_used_are_found(ledger: Ledger) -> None:
    copy = ledger.path.with_name("copy")
    shutil.copy(ledger.path, copy)
    ledger.reserve("here", [SMALL])
    twin = open_ledger(copy)
    twin.reserve("there", [SMALL])
    with pytest.raises(LedgerBroken, match="two receipts over 3 entries differ"):
        twin.receipt().check_follows(ledger.receipt())
    check_both(copy, ledger.receipt(), "entry 3 is not the one a receipt is held for")
    check_both(ledger.path, twin.receipt(), "entry 3 is not the one a receipt is held for")
    ledger.reserve("and on", [SMALL])
    check_both(ledger.path, twin.receipt(), "entry 3 is not the one a receipt is held for")


def test_a_ledger_written_anew_with_the_same_key_is_found(ledger: Ledger) -> None:
    receipt = ledger.receipt()
    ledger.path.unlink()
    anew = create_ledger(ledger.path)
    anew.reserve("first", [SMALL])
    check_both(ledger.path, receipt, "another ledger of this site")
    with pytest.raises(LedgerBroken, match="different ledgers"):
        anew.receipt().check_follows(receipt)


def test_a_ledger_written_anew_with_another_key_is_found(ledger: Ledger) -> None:
    receipt = ledger.receipt()
    ledger.path.unlink()
    Ledger.create(ledger.path, site="north", dataset="visits", policy=make_policy(), key=OTHER_KEY)
    with pytest.raises(LedgerBroken, match="expected was"):
        replay_ledger(ledger.path, public_key=KEY.public)
    with pytest.raises(LedgerBroken, match="not signed with the key of this ledger"):
        replay_ledger(ledger.path, receipts=[receipt])


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: dataclasses.replace(r, entries=r.entries - 1),
        lambda r: dataclasses.replace(r, head=r.ledger),
        lambda r: dataclasses.replace(r, ledger=r.head),
        lambda r: dataclasses.replace(r, signature="0" * 128),
        lambda r: Receipt.sign(OTHER_KEY, ledger=r.ledger, entries=r.entries, head=r.head),
    ],
)
def test_a_forged_receipt_is_refused(ledger: Ledger, forge: Callable[[Receipt], Receipt]) -> None:
    check_both(ledger.path, forge(ledger.receipt()), "not signed with the key of this ledger")


def test_a_receipt_survives_its_text(ledger: Ledger) -> None:
    receipt = ledger.receipt()
    assert Receipt.from_text(f"  {receipt.to_text()}\n") == receipt
    assert len(receipt.to_text()) == 64 + 1 + 1 + 1 + 64 + 1 + 128


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text.upper(),
        lambda text: text.replace(":2:", ":0:"),
        lambda text: text.replace(":2:", ":-2:"),
        lambda text: text.replace(":2:", ":02:"),
        lambda text: text.replace(":2:", ":9999999999:"),
        lambda text: text.replace(":2:", ":٢:"),
        lambda text: text.replace(":", ";"),
        lambda text: text + "\n" + text,
    ],
)
def test_a_malformed_text_is_no_receipt(ledger: Ledger, change: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="a receipt must be four parts"):
        Receipt.from_text(change(ledger.receipt().to_text()))


@pytest.mark.parametrize(
    "part", [{"entries": 0}, {"head": "x"}, {"ledger": ""}, {"signature": "ab cd" * 26}]
)
def test_a_malformed_receipt_cannot_exist(ledger: Ledger, part: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a receipt must be four parts"):
        dataclasses.replace(ledger.receipt(), **part)


def test_a_reader_cannot_give_receipts(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="opened to be read"):
        Ledger.open(ledger.path).receipt()
