"""What a study gets from its sites when some go away, come back or send nonsense; no network."""

from __future__ import annotations

import time

import httpx
import pytest
from exchange_scene import (
    BROKEN,
    COMING,
    GONE,
    HUGE,
    LOST,
    NONSENSE,
    REFUSED,
    SILENT,
    SLOW,
    UNSEEN,
    Scene,
    ask,
)
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode

from strategies.errors import StudyFailed
from strategies.validation import Rejection, check_reply


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.deploy.exchange._PAUSE_S", 0.02)


@pytest.mark.parametrize("trouble", [LOST, GONE, BROKEN, REFUSED])
def test_a_site_is_asked_again_with_the_same_content_until_it_answers(trouble: str) -> None:
    scene = Scene({7: [trouble, trouble]}, online={7, 8})
    answers = ask(scene)
    assert {node: r.content["c"]["x"] for node, r in answers.items()} == {7: 7, 8: 8}
    asked = [m for m in scene.sent if m.metadata.dst_node_id == 7]
    assert len(asked) == (1 if trouble == REFUSED else 3)
    assert len({m.metadata.message_id for m in asked}) == len(asked)
    assert all(m.content == asked[0].content for m in asked)
    assert all(m.metadata.ttl <= 5.0 for m in asked)


def test_losing_a_site_and_its_return_are_told_once_each() -> None:
    events: list[object] = []
    ask(Scene({7: [LOST]}, online={7, 8}), events=events)
    told = [event for event in events if isinstance(event, dict)]
    about_7 = [event["event"] for event in told if event["node"] == 7]
    assert about_7 == ["site-lost", "site-back", "site-answered"]
    assert {"event": "site-answered", "phase": "query.a", "node": 8} in told


def test_a_site_that_stays_away_costs_the_grace_and_is_reported_as_lost() -> None:
    began = time.monotonic()
    answers = ask(Scene({7: [LOST]}, online={8}), seconds=30, grace_s=0.3)
    assert 0.3 < time.monotonic() - began < 3
    assert answers[7].error.code == ErrorCode.NODE_UNAVAILABLE
    assert answers[7].metadata.src_node_id == SUPERLINK_NODE_ID
    assert not answers[8].has_error()


def test_a_site_that_is_revoked_meanwhile_is_not_waited_for() -> None:
    for play in (SILENT, GONE, LOST):
        began = time.monotonic()
        answers = ask(Scene({7: [play]}, online={8}, members={8}), seconds=30, grace_s=30)
        assert time.monotonic() - began < 3
        assert check_reply(answers[7]) == Rejection(code="node-unavailable")
        assert not answers[8].has_error()


def test_a_site_that_is_there_has_until_the_deadline_whatever_the_grace() -> None:
    began = time.monotonic()
    answers = ask(Scene({7: [SILENT], 8: [LOST]}, online={7}), seconds=0.6, grace_s=0.0)
    assert 0.6 <= time.monotonic() - began < 1.5
    assert set(answers) == {8}


def test_a_site_cannot_have_itself_asked_again_by_calling_itself_lost() -> None:
    scene = Scene({7: ["claims-to-be-lost"]}, online={7, 8})
    answers = ask(scene)
    assert answers[7].has_error()
    assert answers[7].metadata.src_node_id == 7
    assert len(scene.sent) == 2


def test_a_site_cannot_answer_in_the_name_of_another() -> None:
    answers = ask(Scene({7: [SILENT], 8: ["claims-another"]}, online={7, 8}), seconds=0.4)
    assert set(answers) == {8}
    assert answers[8].metadata.src_node_id == 8


def test_an_answer_is_held_against_the_table_of_its_question() -> None:
    answers = ask(Scene({7: ["claims-another-type"]}, online={7, 8}))
    assert answers[7].metadata.message_type == "query.a"


@pytest.mark.parametrize(("what", "code"), [(NONSENSE, "malformed"), (HUGE, "too-large")])
def test_nonsense_is_an_error_of_that_site_alone(what: str, code: str) -> None:
    answers = ask(Scene({7: [what]}, online={7, 8}))
    assert check_reply(answers[7]) == Rejection(code=code)
    assert answers[8].content["c"]["x"] == 8


def test_an_outage_of_the_superlink_passes_or_halts_the_study_at_the_deadline() -> None:
    """Silence that is nobody's fault is no answer: the phase must not count as over."""
    away: list[Exception] = [httpx.ConnectError("")] * 5
    scene = Scene({}, online={7, 8}, failures=away)
    assert set(ask(scene)) == {7, 8}
    assert len(scene.sent) == 2
    away = [httpx.ConnectError("")] * 10_000
    began = time.monotonic()
    with pytest.raises(StudyFailed, match="does not answer any more"):
        ask(Scene({}, online={7, 8}, failures=away), seconds=0.4)
    assert time.monotonic() - began < 1.5


def test_a_question_that_got_lost_in_an_outage_is_asked_again_at_once() -> None:
    """The SuperLink had handed it out when it went away, and the site never saw it."""
    scene = Scene({7: [UNSEEN]}, online={7, 8})
    scene.later_failures = [httpx.ReadError("")] * 3
    began = time.monotonic()
    answers = ask(scene, seconds=30)
    assert time.monotonic() - began < 5
    assert {node: r.content["c"]["x"] for node, r in answers.items()} == {7: 7, 8: 8}
    assert [m.metadata.dst_node_id for m in scene.sent] == [7, 8, 7]


def test_a_question_that_got_lost_on_a_sites_line_is_asked_again_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.2)
    scene = Scene({7: [UNSEEN, UNSEEN]}, online={7, 8})
    began = time.monotonic()
    answers = ask(scene, seconds=30)
    assert 0.6 <= time.monotonic() - began < 5  # after 0.2 s, then after 0.4 s more
    assert set(answers) == {7, 8}
    assert [m.metadata.dst_node_id for m in scene.sent] == [7, 8, 7, 7]


def test_a_site_that_takes_long_may_answer_either_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.2)
    for which in (0, 1):
        scene = Scene({7: [SLOW]}, online={7, 8})
        scene.slow_answers = which
        answers = ask(scene, seconds=30)
        assert answers[7].content["c"]["x"] == 7
        assert len([m for m in scene.sent if m.metadata.dst_node_id == 7]) == 2


@pytest.mark.parametrize("outage", [0, 3])
def test_a_site_that_has_the_question_safely_is_left_in_peace(
    monkeypatch: pytest.MonkeyPatch, outage: int
) -> None:
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.05)
    scene = Scene({7: [SILENT]}, online={7, 8}, takes={7})
    scene.later_failures = [httpx.ReadError("")] * outage
    assert set(ask(scene, seconds=0.8)) == {8}
    assert [m.metadata.dst_node_id for m in scene.sent] == [7, 8]


def test_a_reply_that_is_coming_is_neither_announced_nor_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a reply that it has announced the SuperLink says the next time that it is lost."""
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.1)
    scene = Scene({7: [COMING]}, online={7, 8}, whole_at=time.monotonic() + 0.5)
    answers = ask(scene, seconds=30)
    assert answers[7].content["c"]["x"] == 7
    assert len(scene.sent) == 2
    assert len(scene.asked_for) == 1


def test_a_site_whose_reply_is_coming_is_waited_for_though_it_was_lost_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was asked twice, is sending its reply to the first, and the second says it was away."""
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.1)
    scene = Scene({7: [COMING, LOST]}, online={7, 8}, whole_at=time.monotonic() + 1.5)
    answers = ask(scene, seconds=30, grace_s=0.2)
    assert len([m for m in scene.sent if m.metadata.dst_node_id == 7]) == 2
    assert not answers[7].has_error()


def test_a_site_that_is_away_is_not_asked_while_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.deploy.exchange.ASK_AGAIN_S", 0.05)
    scene = Scene({7: [SILENT]}, online={8})
    ask(scene, seconds=0.6)
    assert [m.metadata.dst_node_id for m in scene.sent] == [7, 8]


def test_an_outage_that_the_run_cannot_outlive_is_not_waited_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.deploy.exchange.LONGEST_OUTAGE_S", 0.3)
    away: list[Exception] = [httpx.ConnectError("")] * 10_000
    began = time.monotonic()
    with pytest.raises(StudyFailed, match="does not answer any more"):
        ask(Scene({}, online={7, 8}, failures=away), seconds=60)
    assert time.monotonic() - began < 3


def test_a_run_that_was_ended_ends_the_study() -> None:
    request = httpx.Request("POST", "https://localhost")
    refused = httpx.HTTPStatusError("", request=request, response=httpx.Response(401))
    with pytest.raises(StudyFailed, match="ended at the SuperLink"):
        ask(Scene({}, online={7, 8}, failures=[refused]))
