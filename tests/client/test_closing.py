"""How a study ends in a site's ledger: by its last answer, by the coordinator, or by the site."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import (
    ask_close,
    ask_evaluate,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    numbers_of,
    settings_of,
)
from tiny_sites import write_site

from client.phases import close_study
from client.site import Site
from privacy import AlreadyReleased, Receipt, State
from strategies import protocol


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", holdout=0.3)


@pytest.fixture
def home(site: Site) -> Path:
    return site.folder.parent


def end_of(site: Site) -> tuple[State, str]:
    last = site.ledger.entries()[-1]
    return last.state, last.note


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"rounds": 0, "adversarial_share": 0.0}, 1),
        ({"rounds": 1}, 2),
        ({}, 3),
        ({"evaluation": True}, 4),
        ({"evaluation": True, "rounds": 0, "adversarial_share": 0.0}, 4),
    ],
)
def test_a_study_is_done_when_its_last_answer_is_kept(
    site: Site, home: Path, settings: dict, asked: int
) -> None:
    rounds = range(1, 1 + settings.get("rounds", 2))
    ask_sketch(home, **settings)
    for number in rounds:
        assert end_of(site)[0] is State.RUNNING
        ask_train(home, **settings, server_round=number)
    if settings.get("evaluation"):
        assert end_of(site)[0] is State.RUNNING
        ask_evaluate(home, **settings)
    assert end_of(site) == (State.DONE, "")


@pytest.mark.parametrize(
    ("ending", "end"),
    [
        (protocol.FINISHED, (State.DONE, "")),
        (protocol.GIVEN_UP, (State.FAILED, "closed-by-the-coordinator")),
    ],
)
def test_the_coordinator_closes_a_study_and_may_say_so_again(
    site: Site, home: Path, ending: str, end: tuple[State, str]
) -> None:
    first, spent = numbers_of(ask_sketch(home)), site.ledger.epsilon()
    reply = settings_of(ask_close(home, ending))
    assert end_of(site) == end
    assert set(reply) == {protocol.RECEIPT}
    assert Receipt.from_text(reply[protocol.RECEIPT]).head == site.ledger.head()
    for again in (ending, protocol.FINISHED, protocol.GIVEN_UP):
        assert settings_of(ask_close(home, again)) == reply
    assert numbers_of(ask_sketch(home)) == first  # what was kept may still be asked for
    assert code_of(ask_train(home)) == "already-released"  # and nothing else
    assert end_of(site) == end
    assert site.ledger.epsilon() == spent > 0.99


def test_a_finished_study_that_was_given_up_later_stays_finished(site: Site, home: Path) -> None:
    ask_sketch(home, rounds=0, adversarial_share=0.0)
    ask_close(home, protocol.GIVEN_UP, rounds=0, adversarial_share=0.0)
    assert end_of(site) == (State.DONE, "")


@pytest.mark.parametrize("ending", [protocol.FINISHED, protocol.GIVEN_UP])
def test_a_study_that_was_never_reserved_is_closed_without_a_trace(
    site: Site, home: Path, ending: str
) -> None:
    assert set(settings_of(ask_close(home, ending))) == {protocol.RECEIPT}
    assert len(site.ledger.entries()) == 1
    assert not ask_sketch(home).has_error()


def test_one_study_is_closed_and_no_other(site: Site, home: Path) -> None:
    for study in ("one", "two"):
        ask_sketch(home, study_id=study, epsilon=0.3)
    ask_close(home, protocol.GIVEN_UP, study_id="one", epsilon=0.3)
    assert code_of(ask_train(home, study_id="one", epsilon=0.3)) == "already-released"
    assert not ask_train(home, study_id="two", epsilon=0.3).has_error()


@pytest.mark.parametrize("ending", ["over", "", "finished ", 1, True])
def test_an_ending_that_nobody_listed_closes_nothing(
    site: Site, home: Path, ending: object
) -> None:
    ask_sketch(home)
    assert code_of(ask_close(home, ending=ending)) == "malformed"  # type: ignore[arg-type]
    assert end_of(site) == (State.RUNNING, "sketch-kept")


def test_the_site_itself_may_give_a_study_up(site: Site, home: Path) -> None:
    first = numbers_of(ask_sketch(home))
    close_study(site, "tiny-study", is_finished=False)
    assert end_of(site) == (State.FAILED, "closed-by-the-site")
    with pytest.raises(AlreadyReleased):
        close_study(site, "tiny-study", is_finished=True)
    assert numbers_of(ask_sketch(home)) == first
    assert code_of(ask_train(home)) == "already-released"
