"""``fedsynth site join`` and ``status``: what they refuse, and what they show."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tomli_w
from command_line import CommandLine
from founded_site import FoundedSite, init_words, joined
from real_superlink import free_port, write_certificates

from client.node.journal import Journal
from client.node.lock import hold_site
from client.reserving import reserve_study
from client.settings import StudyRequest
from client.site import load_site
from fedsynth.site.node_screen import NodeScreen
from privacy import State
from server.question import settings_of
from server.study import load_study


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.fixture
def north(shell: CommandLine) -> FoundedSite:
    return FoundedSite(shell)


def write_coordinator(home: Path) -> None:
    content = {
        "address": f"localhost:{free_port()}",
        "bundles": ["ab" * 32],
        "public_key": "cd" * 32,
        "certificate": write_certificates(home / "tls"),
    }
    (home / "coordinator.toml").write_text(tomli_w.dumps(content))


def test_init_takes_the_coordinators_file_and_says_what_to_hand_out(shell: CommandLine) -> None:
    write_coordinator(shell.home)
    ended = shell.run(*init_words("--coordinator", "coordinator.toml"))
    assert (ended.code, ended.err) == (0, "")
    given = Path("coordinator.toml").read_bytes()
    assert Path("north/coordinator.toml").read_bytes() == given
    assert "Give north/admission.toml to the coordinator" in joined(ended.out)
    assert "site join STUDY.toml" in joined(ended.out)


def test_init_with_a_file_that_is_no_coordinators_writes_nothing(shell: CommandLine) -> None:
    Path("bad.toml").write_text("x = 1")
    ended = shell.run(*init_words("--coordinator", "bad.toml"))
    assert ended.code == 2
    assert "bad.toml" in ended.err
    assert not Path("north").exists()


def test_join_without_a_coordinators_file_is_refused(north: FoundedSite) -> None:
    ended = north.run("join", "flu.toml")
    assert ended.code == 2
    assert "ask the coordinator for coordinator.toml" in joined(ended.err)


def test_join_is_refused_while_another_process_has_joined(north: FoundedSite) -> None:
    write_coordinator(north.shell.home / "north")
    with hold_site(Path("north")):
        ended = north.run("join", "flu.toml")
    assert ended.code == 2
    assert "has joined a study in another process" in joined(ended.err)


@pytest.mark.slow
def test_join_asks_policy_and_ledger_first(north: FoundedSite) -> None:
    write_coordinator(north.shell.home / "north")
    north.set(max_rounds="1")
    ended = north.run("join", "flu.toml")
    assert ended.code == 1
    assert "2 rounds were asked for, 1 are allowed" in joined(ended.err)


@pytest.mark.slow
def test_join_says_what_it_costs_and_gives_up_when_patience_ends(north: FoundedSite) -> None:
    write_coordinator(north.shell.home / "north")
    ended = north.run("join", "flu.toml", "--patience", "2")
    assert ended.code == 1
    assert "study 'flu' costs one record at most epsilon 0.49" in joined(ended.out)
    assert "cannot be reached" in joined(ended.err)
    assert "gave up after" in joined(ended.err)
    status = json.loads(north.run("status", "--json").out)
    assert (status["running"], status["node"]["state"]) == (False, "over")


def test_a_study_that_is_over_is_not_waited_for(north: FoundedSite) -> None:
    """Nobody asks again, and other studies would find the site taken."""
    write_coordinator(north.shell.home / "north")
    site = load_site("north")
    request = StudyRequest.from_config(dict(settings_of(load_study(Path("flu.toml")))))
    _, reservation = reserve_study(site, request)
    site.ledger.mark(reservation, State.RUNNING, "sketch")
    site.ledger.mark(reservation, State.DONE)
    ended = north.run("join", "flu.toml", "--patience", "60")
    assert (ended.code, ended.err) == (0, "")
    assert "'flu' is finished and closed in this site's ledger" in joined(ended.out)
    assert "Joining" not in ended.out


def test_another_study_under_the_name_of_one_that_is_over_is_refused(north: FoundedSite) -> None:
    write_coordinator(north.shell.home / "north")
    north.spend("flu")
    ended = north.run("join", "flu.toml", "--patience", "60")
    assert ended.code == 1
    assert "flu" in ended.err and "is finished" not in joined(ended.out)


def test_status_of_a_site_that_never_joined(north: FoundedSite) -> None:
    ended = north.run("status")
    assert (ended.code, ended.err) == (0, "")
    assert "No study was ever joined" in ended.out
    assert "0.0000 of 1 spent" in ended.out


def test_status_tells_a_node_that_runs_from_one_that_died(north: FoundedSite) -> None:
    north.spend()
    journal = Journal(Path("north"), study="flu", coordinator="there:1", restarts=3)
    journal.state("waiting", "waiting for the next question", last_message="train at noon")
    journal.close()
    running = north.run("status")
    assert "waiting since" in running.out and f"process {os.getpid()}" in joined(running.out)
    assert "last question: train at noon" in joined(running.out)
    assert "restarts: 3" in running.out
    values = json.loads(north.run("status", "--json").out)
    assert values["running"] is True
    assert 0.29 < values["epsilon_spent"] <= 0.3
    path = Path("north/state/node.json")
    path.write_text(path.read_text().replace(str(os.getpid()), "999999999"))
    assert "ended without a word" in joined(north.run("status").out)


def test_the_screen_tells_a_study_in_calm_lines() -> None:
    lines: list[str] = []
    urgent: list[str] = []
    view = NodeScreen(lambda line: lines.append(line.split("  ", 1)[1]), urgent.append)
    for event in (
        {"event": "started"},
        {"event": "connected", "coordinator": "there:1"},
        {"event": "delivered", "type": "query.hello", "outcome": "answered"},
        {"event": "question", "type": "train", "server-round": 3, "rounds": 5},
        {"event": "trouble", "kind": "unreachable", "sentence": "cannot be reached"},
        {"event": "trouble-over"},
        {"event": "delivered", "type": "train", "outcome": "answered"},
        {"event": "delivered", "type": "train", "outcome": "malformed"},
        {"event": "study-over"},
    ):
        view.show(event)
    assert lines == [
        "connected to there:1; waiting for questions",
        "hello answered: this site takes part",
        "round 3 of 5: training",
        "the coordinator answers again",
        "round 3 of 5: sent",
        "refused with the code 'malformed'; see logs/site.log in the site's folder",
        "the study is over, and this site's part is done",
    ]
    assert urgent == ["cannot be reached"]
