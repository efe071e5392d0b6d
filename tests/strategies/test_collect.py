from __future__ import annotations

import threading
import time

import pytest
from flwr.app import Message, RecordDict
from toy_study import client_app, public_settings

from simulations.grid import Fault, LocalGrid
from strategies import StudyFailed, ask, make_messages, wait_for_nodes
from strategies.collect import match_replies
from strategies.protocol import CONFIG, QUERY_HELLO


def hello_messages(nodes: list[int]) -> list[Message]:
    content = RecordDict({CONFIG: public_settings(QUERY_HELLO)})
    return make_messages(nodes, QUERY_HELLO, content, ttl_s=5)


def test_waiting_ends_when_all_expected_nodes_are_there() -> None:
    grid = LocalGrid(client_app, 3)
    grid.offline = {103}
    threading.Timer(0.1, grid.offline.clear).start()
    assert wait_for_nodes(grid, 2, 10, expected=3, poll_s=0.01) == [101, 102, 103]


def test_the_minimum_is_enough_at_the_deadline_only() -> None:
    grid = LocalGrid(client_app, 3)
    grid.offline = {103}
    started = time.monotonic()
    assert wait_for_nodes(grid, 2, 0.1, expected=3, poll_s=0.01) == [101, 102]
    assert time.monotonic() - started >= 0.1


def test_other_nodes_do_not_count() -> None:
    grid = LocalGrid(client_app, 3)
    with pytest.raises(StudyFailed, match="1 of at least 2 sites"):
        wait_for_nodes(grid, 2, 0.01, among=[101, 999], poll_s=0.01)


def test_answers_tell_who_counts_and_why_not() -> None:
    faults = {"101": Fault.LOST, "103": Fault.LATE}
    grid = LocalGrid(client_app, 4, fault_of=lambda m: faults.get(str(m.metadata.dst_node_id)))
    answers = ask(grid, hello_messages([101, 102, 103, 104]), deadline_s=5)
    assert list(answers.valid) == [102, 104]
    assert answers.rejected == {101: "node-unavailable", 103: "no-reply"}
    assert answers.bytes_down > 0
    assert answers.bytes_up > 0
    answers.require(2, "a hello")
    with pytest.raises(StudyFailed, match="2 sites gave a hello, 3 are needed") as caught:
        answers.require(3, "a hello")
    assert "site 101: node-unavailable, site 103: no-reply" in caught.value.reason


def test_replies_are_matched_by_the_question_and_counted_once() -> None:
    grid = LocalGrid(client_app, 2, fault_of=lambda m: Fault.LOST)
    messages = hello_messages([101, 102])
    replies = list(grid.send_and_receive(messages))
    assert {r.metadata.src_node_id for r in replies} == {1}  # Flower answers in their place
    stray = hello_messages([101])
    list(grid.send_and_receive(stray))
    matched = dict(match_replies(messages, replies + replies[::-1]))
    assert list(matched) == [101, 102]
    assert dict(match_replies(stray, replies)) == {}
