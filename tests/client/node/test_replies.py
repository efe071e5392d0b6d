"""A reply on its way: announced once, finished whatever comes between, for its own question."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from fake_fleet import Bench, Ended, FakeFleet, question
from flwr.app import ConfigRecord, Message, RecordDict

from client.node.inbox import QUESTION_FILE, REPLY_FILE
from strategies import protocol
from strategies.protocol import QUERY_CLOSE


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return drawing(Bench(tmp_path / "site"))


def drawing(bench: Bench) -> Bench:
    """Let the site's program give another answer each time."""
    drawn = iter(range(9))

    def draw(message: Message) -> Message:
        config = {"draw": next(drawn), "asked": message.metadata.message_type}
        return Message(RecordDict({protocol.CONFIG: ConfigRecord(config)}), reply_to=message)

    bench.reply = draw
    return bench


def next_life(bench: Bench, fleet: FakeFleet | None = None) -> Bench:
    again = Bench(bench.folder, fleet=fleet)
    return drawing(again)


def draws(fleet: FakeFleet) -> list[object]:
    return [reply.content.config_records[protocol.CONFIG]["draw"] for reply in fleet.replies]


@pytest.mark.parametrize("parts_before", [0, 1, 2])
def test_a_reply_announced_before_a_kill_is_finished_under_its_name(
    bench: Bench, parts_before: int
) -> None:
    bench.fleet.questions = [question(QUERY_CLOSE)]
    bench.fleet.after["PushObject"] = (parts_before, Ended())
    assert bench.run() is None
    assert stat.S_IMODE((bench.folder / REPLY_FILE).stat().st_mode) == 0o600
    (announced,) = bench.fleet.announced
    again = next_life(bench, bench.fleet)
    assert again.run() == 0
    assert again.fleet.announced == [announced]
    assert draws(again.fleet) == [0]
    assert again.asked == []
    assert not (bench.folder / REPLY_FILE).exists()


@pytest.mark.parametrize("parts_before", [0, 1, 2])
def test_a_reply_is_finished_after_a_call_that_broke(bench: Bench, parts_before: int) -> None:
    bench.fleet.questions = [question(QUERY_CLOSE)]
    bench.fleet.after["PushObject"] = (parts_before, httpx.ReadTimeout("slow"))
    assert bench.run() == 0
    assert draws(bench.fleet) == [0]


def test_a_reply_whose_announcement_was_heard_but_not_answered_is_finished(bench: Bench) -> None:
    bench.fleet.questions = [question(QUERY_CLOSE)]
    bench.fleet.unheard["PushMessages"] = [httpx.ReadTimeout("slow")]
    assert bench.run() == 0
    assert draws(bench.fleet) == [0]


def test_a_kept_reply_is_not_given_to_another_question(bench: Bench) -> None:
    bench.fleet.questions = [question()]
    bench.fleet.after["PushObject"] = (0, Ended())
    assert bench.run() is None
    (bench.folder / QUESTION_FILE).unlink()
    again = next_life(bench)
    again.fleet.questions = [question("train")]
    again.run()
    assert len(again.asked) == 1
    (reply,) = again.fleet.replies
    assert reply.content.config_records[protocol.CONFIG]["asked"] == "train"


def test_a_reply_that_cannot_be_read_again_is_made_anew(bench: Bench) -> None:
    bench.fleet.questions = [question(QUERY_CLOSE)]
    bench.fleet.after["PushObject"] = (0, Ended())
    assert bench.run() is None
    (bench.folder / REPLY_FILE).write_bytes(b"not a reply")
    again = next_life(bench)
    assert again.run() == 0
    assert len(again.asked) == 1
