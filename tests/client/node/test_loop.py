"""The node's decisions, on a line in memory."""

from __future__ import annotations

import errno
import json
import stat
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from fake_fleet import NODE_ID, Bench, Ended, question, refusal
from flwr.app import Array, ArrayRecord, Message

from client.node.inbox import QUESTION_FILE, Inbox
from client.node.journal import STATUS_FILE
from strategies import parcels, protocol
from strategies.protocol import QUERY_CLOSE, RefusalCode, error_reply

UNREACHABLE = httpx.ConnectError("refused")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "site")
    bench.reply = lambda message: Message(message.content, reply_to=message)
    return bench


def codes(bench: Bench) -> list[str]:
    return [str(reply.error.reason) for reply in bench.fleet.replies if reply.has_error()]


def test_a_question_is_answered_by_our_program_and_the_close_ends_the_node(bench: Bench) -> None:
    bench.fleet.questions = [question(), question(QUERY_CLOSE)]
    assert bench.run() == 0
    assert [message.metadata.message_type for message in bench.asked] == [
        "query.hello",
        QUERY_CLOSE,
    ]
    assert [reply.has_content() for reply in bench.fleet.replies] == [True, True]
    assert not (bench.folder / QUESTION_FILE).exists()
    assert json.loads((bench.folder / STATUS_FILE).read_text())["state"] == "over"


def test_a_close_that_was_refused_does_not_end_the_node(bench: Bench) -> None:
    bench.reply = lambda message: error_reply(message, RefusalCode.LOCAL_FAILURE)
    bench.fleet.questions = [question(QUERY_CLOSE)]
    assert bench.run() is None
    assert codes(bench) == ["local-failure"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (question("query.other"), "unknown-message"),
        (question(**{protocol.STUDY_ID: "other"}), "not-joined"),
        (question(**{protocol.CONFIG_HASH: "other"}), "not-joined"),
    ],
)
def test_what_was_not_joined_never_reaches_our_program(
    bench: Bench, asked: Message, code: str
) -> None:
    bench.fleet.questions = [asked]
    bench.run()
    assert codes(bench) == [code]
    assert bench.asked == []


def test_a_bundle_with_one_byte_changed_is_refused(bench: Bench) -> None:
    bench.fleet.bundle = bench.fleet.bundle[:-1] + b"?"
    bench.fleet.questions = [question()]
    bench.run()
    assert (codes(bench), bench.asked) == (["unknown-bundle"], [])


def test_the_bundle_of_a_run_is_fetched_once(bench: Bench) -> None:
    bench.fleet.questions = [question(), question(server_round=2)]
    bench.run()
    assert bench.fleet.calls.count("GetFab") == 1
    assert len(bench.asked) == 2


def test_a_part_that_is_not_what_its_name_says_is_malformed(bench: Bench) -> None:
    bench.fleet.alter = lambda name, content: content + b" "
    bench.fleet.questions = [question()]
    bench.run()
    assert (codes(bench), bench.asked) == (["malformed"], [])


def test_too_many_bytes_are_not_fetched_to_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcels, "MOST_BYTES", 2000)
    big = question()
    chunks = {str(i): Array(np.full(100, float(i))) for i in range(20)}
    big.content["arrays"] = ArrayRecord(chunks)
    bench.fleet.questions = [big, question()]
    bench.run()
    assert codes(bench) == ["too-large"]
    assert bench.fleet.calls.count("PullObject") < 25
    assert len(bench.asked) == 1


def test_a_small_message_that_unfolds_to_much_is_too_large(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flwr.app.message.array.FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE", 1000)
    bomb = question()
    bomb.content["arrays"] = ArrayRecord({"zeros": Array(np.zeros(100_000))})  # one chunk, often
    monkeypatch.setattr(parcels, "MOST_BYTES", 100_000)
    bench.fleet.questions = [bomb]
    bench.run()
    assert codes(bench) == ["too-large"]
    assert sum(map(len, bench.fleet.objects.values())) < 10_000


def test_a_message_whose_time_is_over_is_neither_worked_on_nor_answered(bench: Bench) -> None:
    late = question(ttl=5.0)
    late.metadata.created_at = time.time() - 10
    bench.fleet.questions = [late]
    bench.run()
    assert (bench.asked, bench.fleet.replies) == ([], [])
    assert bench.told("question-dropped")


def test_an_answer_is_sent_until_it_arrives(bench: Bench) -> None:
    bench.fleet.questions = [question(QUERY_CLOSE)]
    bench.fleet.troubles["PushMessages"] = [UNREACHABLE, refusal(502)]
    bench.fleet.troubles["PushObject"] = [httpx.ReadTimeout("slow")]
    assert bench.run() == 0
    assert len(bench.fleet.replies) == 1
    assert len(bench.asked) == 1


def test_an_answer_of_a_run_that_is_over_is_dropped_quietly(bench: Bench) -> None:
    bench.fleet.questions = [question()]
    bench.fleet.troubles["PushMessages"] = [refusal(403, 2007)]
    bench.run()
    assert bench.told("run-over")
    assert not bench.told("trouble")


def test_a_question_that_killed_the_process_is_answered_after_a_restart(bench: Bench) -> None:
    def die(message: Message) -> Message:
        raise Ended

    bench.reply = die
    bench.fleet.questions = [question(QUERY_CLOSE)]
    assert bench.run() is None
    assert stat.S_IMODE((bench.folder / QUESTION_FILE).stat().st_mode) == 0o600
    again = Bench(bench.folder)
    again.reply = lambda message: Message(message.content, reply_to=message)
    assert again.run() == 0
    assert again.asked[0].content == bench.asked[0].content
    assert "PullObject" not in again.fleet.calls


def test_a_question_that_kills_every_time_is_given_up(tmp_path: Path) -> None:
    def die(message: Message) -> Message:
        raise Ended

    for attempt in range(4):
        bench = Bench(tmp_path / "site")
        bench.reply = die
        bench.fleet.questions = [question()] if attempt == 0 else []
        bench.run()
    assert codes(bench) == ["local-failure"]
    assert not (bench.folder / QUESTION_FILE).exists()


@pytest.mark.parametrize(("attempts_without_room", "patience_s"), [(2, 60.0), (10**9, 0.0)])
def test_a_full_disk_is_waited_for_and_then_answered_without_a_copy(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    attempts_without_room: int,
    patience_s: float,
) -> None:
    tries = iter(range(10**9))

    def keep(*_: object) -> None:
        if next(tries) < attempts_without_room:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Inbox, "keep", keep)
    monkeypatch.setattr("client.node.loop.patience_of", lambda ttl: patience_s)
    bench.fleet.questions = [question()]
    bench.run()
    assert [reply.has_content() for reply in bench.fleet.replies] == [True]
    told = [event for event in bench.events if event["event"] == "trouble"]
    assert [event["kind"] for event in told] == ["disk"]
    assert "No space left on device" in str(told[0]["sentence"])


def test_a_status_that_cannot_be_written_costs_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for module in ("journal", "session"):
        monkeypatch.setattr(f"client.node.{module}.replace_file", fail)
    bench.fleet.questions = [question(), question(QUERY_CLOSE)]
    assert bench.run() == 0


def test_a_node_that_is_forgotten_comes_on_again(bench: Bench) -> None:
    bench.fleet.troubles["PullMessages"] = [refusal(401)]
    bench.fleet.questions = [question(QUERY_CLOSE)]
    assert bench.run() == 0
    assert bench.fleet.calls.count("ActivateNode") == 2


def test_a_session_that_is_still_held_is_taken_up_in_the_same_folder_only(bench: Bench) -> None:
    bench.link._session.keep(NODE_ID)
    bench.fleet.troubles["ActivateNode"] = [refusal(400, 2004)]
    bench.fleet.troubles["GetRun"] = [refusal(404, 2008)]
    bench.fleet.questions = [question(QUERY_CLOSE)]
    assert bench.run() == 0
    assert bench.fleet.calls[:3] == ["ActivateNode", "GetRun", "SendNodeHeartbeat"]
    assert not bench.told("trouble")


def test_a_session_of_another_machine_is_waited_for(bench: Bench) -> None:
    bench.link._session.keep(NODE_ID)
    path = bench.folder / "state/node.id"
    path.write_text(path.read_text().replace(" ", " other-", 1))
    bench.fleet.troubles["ActivateNode"] = [refusal(400, 2004)] * 3
    bench.run()
    assert [event["kind"] for event in bench.told("trouble")] == ["still-online"]
    assert "SendNodeHeartbeat" not in bench.fleet.calls


def test_each_trouble_is_said_once_and_its_end_too(bench: Bench) -> None:
    bench.fleet.troubles["ActivateNode"] = [UNREACHABLE] * 3 + [refusal(400, 2004)] * 3
    bench.run()
    assert [event["kind"] for event in bench.told("trouble")] == ["unreachable", "not-admitted"]
    assert len(bench.told("trouble-over")) == 1
    assert max(bench.pauses) <= 10


def test_patience_ends_with_code_1_and_the_last_trouble(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "site", patience_s=0.2)
    bench.fleet.troubles["ActivateNode"] = [UNREACHABLE] * 1000
    bench.node._pause = lambda seconds: time.sleep(0.05)
    assert bench.run() == 1
    assert "cannot be reached" in bench.told("gave-up")[0]["sentence"]


def test_a_site_that_is_never_asked_leaves_though_the_coordinator_answers(tmp_path: Path) -> None:
    """So does one that was away when the others heard that the study is over."""
    bench = Bench(tmp_path / "site", patience_s=0.2)
    bench.node._pause = lambda seconds: time.sleep(0.05)
    assert bench.run() == 1
    assert "without a question" in bench.node._journal.status.detail


def test_a_wrong_version_of_flower_ends_the_node_with_code_2(bench: Bench) -> None:
    from flwr.supercore.error import ApiErrorCode

    wrong = refusal(400, ApiErrorCode.RUNTIME_VERSION_INCOMPATIBLE)
    bench.fleet.troubles["ActivateNode"] = [wrong]
    assert bench.run() == 2
    assert "version of Flower" in bench.told("unusable")[0]["sentence"]
