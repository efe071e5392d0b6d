"""A ledger that goes back is found: by the site itself, and by the coordinator if the site lies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from stages import but_for
from tiny_sites import Recorder, make_study, write_site, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.site import RECEIPT_FILE
from privacy import Ledger, Receipt
from server.app import Coordinator
from server.outcome import StudyOutcome
from simulations.grid import Fault, LocalGrid
from strategies import StudyFailed
from strategies.protocol import (
    CONFIG,
    HELD_RECEIPT,
    QUERY_CLOSE,
    QUERY_EVALUATE,
    QUERY_HELLO,
    QUERY_SKETCH,
    RECEIPT,
    TRAIN,
)
from strategies.receipts import ReceiptBook

LAST = 103
Client = Callable[[Message, Context], Message]


def run(
    home: Path, client: Client = app, receipts: ReceiptBook | None = None, **changes
) -> StudyOutcome:
    grid = LocalGrid(
        client, 3, run_config={"sites-dir": str(home)}, fault_of=changes.pop("fault_of", None)
    )
    study = make_study(**changes)
    return Coordinator(study, SCHEMA, num_sites=3, receipts=receipts).run(grid)


def ledger_of(home: Path, number: int) -> Ledger:
    return Ledger.open(home / f"site-{number}" / "ledger.sqlite")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_sites(tmp_path, holdout=0.5)
    return tmp_path


class TimeMachine:
    """The real site, but the last one's ledger is put back to an old copy before some round.

    Args:
        home: of the sites.
        copied_after: message type after whose answer the ledger is copied.
        put_back_at: message type and group before which the copy replaces it.
        honest: whether the site reads the receipts that it is given and has kept.
    """

    def __init__(
        self, home: Path, *, copied_after: str, put_back_at: tuple[str, str], honest: bool
    ) -> None:
        self.path = home / "site-3" / "ledger.sqlite"
        self.copied_after, self.put_back_at, self.honest = copied_after, put_back_at, honest

    def __call__(self, message: Message, context: Context) -> Message:
        if context.node_id != LAST:
            return app(message, context)
        at = message.metadata
        if (at.message_type, at.group_id) == self.put_back_at:
            shutil.copy(self.path.with_suffix(".old"), self.path)
        if not self.honest:
            message.content[CONFIG] = without_held(message.content.config_records[CONFIG])
            (self.path.parent / RECEIPT_FILE).unlink(missing_ok=True)
        reply = app(message, context)
        if at.message_type == self.copied_after:
            shutil.copy(self.path, self.path.with_suffix(".old"))
        return reply


def without_held(config: ConfigRecord) -> ConfigRecord:
    return ConfigRecord({key: value for key, value in config.items() if key != HELD_RECEIPT})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder, StudyOutcome]:
    """A study that nothing disturbs, with all its messages."""
    home, recorder = tmp_path_factory.mktemp("whole"), Recorder()
    write_sites(home, holdout=0.5)
    return home, recorder, run(home, recorder, evaluation=True)


def test_every_question_after_hello_brings_the_newest_receipt_back(whole) -> None:
    _, recorder, _ = whole
    newest: dict[int, str] = {}
    kinds = []
    for message, reply in recorder.seen:
        node = message.metadata.dst_node_id
        config = message.content.config_records[CONFIG]
        assert config.get(HELD_RECEIPT) == newest.get(node)
        newest[node] = str(reply.content.config_records[CONFIG][RECEIPT])
        kinds.append(message.metadata.message_type)
    asked = [QUERY_HELLO, QUERY_SKETCH, TRAIN, TRAIN, QUERY_EVALUATE, QUERY_CLOSE]
    assert kinds == [kind for kind in asked for _ in range(3)]


def test_the_outcome_holds_receipts_that_every_ledger_bears_out(whole) -> None:
    home, _, outcome = whole
    assert list(outcome.receipts) == [101, 102, 103]
    for number, attested in enumerate(outcome.receipts.values(), start=1):
        ledger = ledger_of(home, number)
        assert attested.public_key == ledger.header.public_key
        ledger.check_receipt(attested.receipt)
        assert len(ledger.entries()) == attested.receipt.entries


@pytest.mark.parametrize("copied_after", but_for([QUERY_HELLO, QUERY_SKETCH], QUERY_SKETCH))
def test_a_site_whose_ledger_went_back_finds_it_and_releases_nothing(
    home: Path, copied_after: str
) -> None:
    client = TimeMachine(home, copied_after=copied_after, put_back_at=(TRAIN, "2"), honest=True)
    outcome = run(home, client, minimum_sites=2)
    assert [dict(r.rejected) for r in outcome.rounds] == [{}, {LAST: "refused-ledger-broken"}]
    old = Ledger.open(client.path.with_suffix(".old"))
    assert ledger_of(home, 3).head() == old.head()  # nothing was written, so nothing was read


@pytest.mark.parametrize(
    ("copied_after", "code"),
    [(QUERY_HELLO, "ledger-went-back"), (QUERY_SKETCH, "ledger-forked")],
)
def test_a_site_that_goes_on_all_the_same_is_found_out(
    home: Path, copied_after: str, code: str
) -> None:
    client = TimeMachine(home, copied_after=copied_after, put_back_at=(TRAIN, "2"), honest=False)
    outcome = run(home, client, minimum_sites=2, rounds=3)
    assert [dict(r.rejected) for r in outcome.rounds] == [{}, {LAST: code}, {LAST: code}]
    assert outcome.rounds[1].valid == (101, 102)
    held = outcome.receipts[LAST].receipt
    with pytest.raises(ValueError):
        ledger_of(home, 3).check_receipt(held)


def test_a_release_that_is_not_in_the_ledger_does_not_count(home: Path) -> None:
    """A site that trains without writing it down can only send a receipt it has sent before."""
    kept: list[Message] = []

    def repeat(message: Message, context: Context) -> Message:
        if context.node_id == LAST and message.metadata.message_type == TRAIN and kept:
            return Message(RecordDict(dict(kept[0].content)), reply_to=message)
        reply = app(message, context)
        if context.node_id == LAST and message.metadata.message_type == TRAIN:
            kept.append(reply)
        return reply

    outcome = run(home, repeat, minimum_sites=2)
    assert [dict(r.rejected) for r in outcome.rounds] == [{}, {LAST: "ledger-stood-still"}]


@pytest.mark.parametrize("kind", [QUERY_SKETCH, QUERY_EVALUATE])
def test_sketch_and_evaluation_are_held_to_receipts_too(home: Path, kind: str) -> None:
    def forge(message: Message, context: Context) -> Message:
        reply = app(message, context)
        if context.node_id == LAST and message.metadata.message_type == kind:
            content = reply.content
            text = str(content.config_records[CONFIG][RECEIPT])
            content.config_records[CONFIG][RECEIPT] = text[:-1] + ("1" if text[-1] == "0" else "0")
            return Message(content, reply_to=message)
        return reply

    no_rounds = {"rounds": 0, "adversarial_share": 0.0}
    outcome = run(home, forge, minimum_sites=2, evaluation=True, **no_rounds)
    assert outcome.evaluation is not None and outcome.evaluation.nodes == (101, 102)
    assert outcome.nodes == ((101, 102) if kind == QUERY_SKETCH else (101, 102, 103))
    if kind == QUERY_EVALUATE:
        assert dict(outcome.evaluation.rejected) == {LAST: "receipt-not-signed"}


def test_one_site_cannot_pose_as_two(home: Path) -> None:
    shutil.rmtree(home / "site-3")
    shutil.copytree(home / "site-1", home / "site-3")
    with pytest.raises(StudyFailed, match="no budget was spent") as caught:
        run(home, minimum_sites=2)
    words = "key-shared, another node says hello with the same key"
    assert f"(site 101: {words}; site 103: {words})" in caught.value.reason
    assert {ledger_of(home, number).epsilon() for number in (1, 2, 3)} == {0.0}


def test_a_ledger_that_goes_back_between_two_studies_ends_the_second_at_hello(home: Path) -> None:
    path = home / "site-3" / "ledger.sqlite"
    old = path.with_suffix(".old")
    shutil.copy(path, old)
    book = ReceiptBook()
    run(home, receipts=book, epsilon=0.3, rounds=1)
    shutil.copy(old, path)
    known = {key: Receipt.from_text(receipt.to_text()) for key, receipt in book.latest.items()}
    for kept in (book, ReceiptBook(known)):  # the same nodes, and new ones that have the same keys
        with pytest.raises(StudyFailed, match=r"site 103.*ledger") as caught:
            run(home, receipts=kept, epsilon=0.3, rounds=1, name="second")
        assert "no budget was spent" in caught.value.reason
    assert ledger_of(home, 3).epsilon() == 0.0


def test_the_receipt_of_a_site_that_refuses_is_kept(home: Path) -> None:
    shutil.rmtree(home / "site-3")
    site = write_site(home / "site-3", seed=2, max_rounds=1)
    book = ReceiptBook()
    with pytest.raises(StudyFailed, match="policy-max-rounds"):
        run(home, receipts=book)
    assert book.latest[site.public_key] == site.ledger.receipt()
    assert len(book.latest) == 3


def test_a_site_whose_answer_was_lost_goes_on_with_an_older_receipt(home: Path) -> None:
    """Its ledger is newer than what is held, which is how it must be."""

    def late_once(message: Message) -> Fault | None:
        at = message.metadata
        is_it = (at.message_type, at.group_id, at.dst_node_id) == (TRAIN, "1", LAST)
        return Fault.LATE if is_it else None

    outcome = run(home, minimum_sites=2, fault_of=late_once)
    assert [record.valid for record in outcome.rounds] == [(101, 102), (101, 102, 103)]
    ledger_of(home, 3).check_receipt(outcome.receipts[LAST].receipt)
