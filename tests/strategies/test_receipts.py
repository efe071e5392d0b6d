"""The coordinator believes no ledger that goes back, forks, changes hands or stands still."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from privacy import GaussianEvent, Ledger, Policy, Receipt, SigningKey
from strategies import make_messages
from strategies.collect import Answers, count_bytes
from strategies.protocol import ARRAYS, CONFIG, HELD_RECEIPT, PUBLIC_KEY, RECEIPT, TRAIN
from strategies.receipts import ReceiptBook, ReceiptProblem
from strategies.validation import Reply

TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
KEY, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
LEDGER = "a" * 64


def receipt(entries: int, *, key: SigningKey = KEY, ledger: str = LEDGER, head: str = "") -> str:
    head = head or f"{entries:064x}"
    return Receipt.sign(key, ledger=ledger, entries=entries, head=head).to_text()


def hello(text: str, key: SigningKey = KEY) -> dict[str, str]:
    return {PUBLIC_KEY: key.public.hex, RECEIPT: text}


def book_at(entries: int) -> ReceiptBook:
    """A book that node 101 has said hello to."""
    book = ReceiptBook()
    assert book.take(101, hello(receipt(entries))) is None
    return book


def answers_of(configs: dict[int, dict[str, str]], **rejected: str) -> Answers:
    return Answers(
        valid={node: Reply(config=config) for node, config in configs.items()},
        rejected={int(node.removeprefix("node_")): code for node, code in rejected.items()},
        seconds=0.0,
        bytes_down=1,
        bytes_up=1,
    )


def test_a_newer_receipt_takes_the_place_of_the_older() -> None:
    book = book_at(3)
    assert book.take(101, {RECEIPT: receipt(5)}) is None
    held = book.of(101)
    assert held is not None and held.to_text() == receipt(5)
    assert dict(book.latest) == {KEY.public: held}
    assert book.of(102) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (receipt(6, key=OTHER), ReceiptProblem.NOT_SIGNED),
        (receipt(6)[:-1] + ("0" if receipt(6)[-1] != "0" else "1"), ReceiptProblem.NOT_SIGNED),
        (receipt(6).replace(":6:", ":7:"), ReceiptProblem.NOT_SIGNED),
        ("", ReceiptProblem.NOT_SIGNED),
        ("none", ReceiptProblem.NOT_SIGNED),
        (receipt(5), ReceiptProblem.STOOD_STILL),
    ],
    ids=["other key", "altered", "raised", "empty", "none", "same"],
)
def test_what_anybody_could_send_is_rejected_and_not_kept(text: str, problem: str) -> None:
    book = book_at(5)
    assert book.take(101, {RECEIPT: text}) == problem
    held = book.of(101)
    assert held is not None and held.to_text() == receipt(5)
    assert book.take(101, {RECEIPT: receipt(6)}) is None  # the site itself may go on


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (receipt(4), ReceiptProblem.WENT_BACK),
        (receipt(5, head="b" * 64), ReceiptProblem.FORKED),
        (receipt(6, ledger="b" * 64), ReceiptProblem.LEDGER_REPLACED),
    ],
    ids=["older", "forked", "new"],
)
def test_a_site_that_contradicts_itself_is_not_believed_again(text: str, problem: str) -> None:
    """A copy of a ledger soon has more entries than the receipt that it contradicts."""
    book = book_at(5)
    assert book.take(101, {RECEIPT: text}) == problem
    assert book.take(101, {RECEIPT: receipt(9)}) == problem
    held = book.of(101)
    assert held is not None and held.to_text() == receipt(5)
    assert book.take(101, hello(receipt(5))) is None  # the right ledger was found again
    assert book.take(101, {RECEIPT: receipt(6)}) is None


def test_a_release_without_a_receipt_is_rejected() -> None:
    assert book_at(5).take(101, {}) == ReceiptProblem.NOT_SIGNED


def test_a_node_that_has_not_said_hello_has_no_key() -> None:
    book = book_at(5)
    assert book.take(102, {RECEIPT: receipt(6)}) == ReceiptProblem.NOT_SIGNED
    assert set(book.keys) == {101}


def test_a_hello_may_bring_the_receipt_that_is_known() -> None:
    """A site that nothing was asked of between two studies has an unchanged ledger."""
    book = ReceiptBook({KEY.public: Receipt.from_text(receipt(5))})
    assert book.of(101) is None
    assert book.take(101, hello(receipt(5))) is None
    assert dict(book.keys) == {101: KEY.public}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (receipt(4), ReceiptProblem.WENT_BACK),
        (receipt(5, head="b" * 64), ReceiptProblem.FORKED),
        (receipt(9, ledger="b" * 64), ReceiptProblem.LEDGER_REPLACED),
    ],
)
def test_a_ledger_is_held_to_receipts_of_earlier_studies(text: str, problem: str) -> None:
    book = ReceiptBook({KEY.public: Receipt.from_text(receipt(5))})
    assert book.take(101, hello(text)) == problem
    assert dict(book.keys) == {}
    assert book.latest[KEY.public].to_text() == receipt(5)


def test_a_hello_must_be_signed_with_the_key_it_names() -> None:
    book = ReceiptBook()
    assert book.take(101, hello(receipt(5), OTHER)) == ReceiptProblem.NOT_SIGNED
    assert dict(book.keys) == {} and dict(book.latest) == {}


@pytest.mark.parametrize("signer", [KEY, OTHER])
def test_a_site_keeps_its_key_through_a_study(signer: SigningKey) -> None:
    book = book_at(5)
    renamed = hello(receipt(6, key=signer), OTHER)
    assert book.take(101, renamed) == ReceiptProblem.KEY_CHANGED
    assert book.keys[101] == KEY.public


def test_of_nodes_with_one_key_none_is_believed() -> None:
    """The copy may come first, so the order of answers must not decide."""
    book = ReceiptBook()
    claims = {
        101: hello(receipt(5)),
        102: hello(receipt(6)),
        103: hello(receipt(1, key=OTHER), OTHER),
    }
    answers = book.screen(answers_of(claims, node_104="no-reply"))
    shared = ReceiptProblem.KEY_SHARED.value
    assert dict(answers.rejected) == {101: shared, 102: shared, 104: "no-reply"}
    assert list(answers.valid) == [103]
    assert dict(book.keys) == {103: OTHER.public}


def test_a_later_node_cannot_take_over_a_key() -> None:
    book = book_at(5)
    assert book.take(102, hello(receipt(6))) == ReceiptProblem.KEY_SHARED
    assert dict(book.keys) == {101: KEY.public}
    assert book.take(101, {RECEIPT: receipt(6)}) is None


def test_a_copied_receipt_carries_nobody_past_hello() -> None:
    """Receipts are public; only who holds the key can sign the next one."""
    book = ReceiptBook()
    assert book.take(102, hello(receipt(5))) is None
    for stolen in (receipt(5), receipt(6, key=OTHER)):
        assert book.take(102, {RECEIPT: stolen}) is not None


def test_a_refusal_is_kept_too() -> None:
    """What a site refuses is an answer all the same, and its ledger may not go back after it."""
    book = ReceiptBook()
    answer = hello(receipt(5)) | {"accepted": "no"}
    assert list(book.screen(answers_of({101: answer})).valid) == [101]
    assert book.take(101, hello(receipt(4))) == ReceiptProblem.WENT_BACK


def test_the_receipts_of_a_real_ledger_are_taken_one_after_the_other(tmp_path: Path) -> None:
    ledger = Ledger.create(
        tmp_path / "ledger.sqlite",
        site="north",
        dataset="rows",
        policy=Policy(epsilon=1.0, delta=1e-5),
        key=KEY,
    )
    book = ReceiptBook()
    assert book.take(101, hello(ledger.receipt().to_text())) is None
    reservation = ledger.reserve("s", [GaussianEvent(noise_multiplier=9.0, purpose="sketch")])
    assert book.take(101, {RECEIPT: ledger.receipt().to_text()}) is None
    ledger.mark(reservation, "running", "sketch")
    assert book.take(101, {RECEIPT: ledger.receipt().to_text()}) is None
    assert book.of(101) == ledger.receipt()


def messages_to(nodes: list[int]) -> list[Message]:
    arrays = ArrayRecord({"w": Array(np.zeros(3, np.float32))})
    content = RecordDict({ARRAYS: arrays, CONFIG: ConfigRecord({"rounds": 2})})
    return make_messages(nodes, TRAIN, content, ttl_s=5)


def test_each_message_gets_the_receipt_of_its_own_site() -> None:
    """The messages share one content, which must not become that of the last site."""
    book = book_at(5)
    assert book.take(102, hello(receipt(9, key=OTHER), OTHER)) is None
    first, second, third = book.attach(messages_to([101, 102, 103]))
    assert first.content.config_records[CONFIG][HELD_RECEIPT] == receipt(5)
    assert second.content.config_records[CONFIG][HELD_RECEIPT] == receipt(9, key=OTHER)
    assert HELD_RECEIPT not in third.content.config_records[CONFIG]
    assert all(message.content.config_records[CONFIG]["rounds"] == 2 for message in (first, third))
    assert first.content[ARRAYS] == third.content[ARRAYS]
    assert count_bytes(first) >= count_bytes(third) + len(receipt(5))
