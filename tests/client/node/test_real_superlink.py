"""A node against a stock SuperLink: real processes, real TLS, real signals."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from asking import hello_config
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.superlink.grid.http_grid import HttpGrid
from memory import PeakMemory
from real_superlink import (
    SuperLink,
    ask,
    make_bundle,
    running_superlink,
    wait_for,
    wait_until,
    write_certificates,
)
from tiny_sites import make_study, write_site

from client.node.coordinator_file import COORDINATOR_FILE
from client.node.environment import flower_variables
from client.node.inbox import QUESTION_FILE
from client.node.journal import EVENTS_FILE, STATUS_FILE
from client.node.keys import load_node_key
from client.node.supervisor import node_command, supervise
from strategies import protocol

pytestmark = pytest.mark.slow
BUNDLE = make_bundle()
DIGEST = hashlib.sha256(BUNDLE).hexdigest()
STUDY = make_study()


class Site:
    """A site's folder and the node that serves it."""

    def __init__(self, folder: Path, link: SuperLink, **coordinator: Any) -> None:
        self.folder = folder
        write_site(folder, seed=None)
        content = {
            "address": link.address,
            "bundles": [DIGEST],
            "public_key": "00" * 32,
            "certificate": link.authority,
        }
        (folder / COORDINATOR_FILE).write_text(tomli_w.dumps(content | coordinator))
        self.node_key = public_key_to_bytes(load_node_key(folder).public_key())
        self.process: subprocess.Popen[bytes] | None = None
        self.node_id = 0

    def start(self, study: str = STUDY.name, patience_s: float = 600.0) -> None:
        command = node_command(
            self.folder, study=study, config_hash=STUDY.digest(), patience_s=patience_s
        )
        self.process = subprocess.Popen(
            [word for word in command if word != "--supervised"],
            env=os.environ | flower_variables(self.folder),
            stdout=subprocess.DEVNULL,
        )

    def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def events(self) -> list[dict[str, Any]]:
        try:
            text = (self.folder / EVENTS_FILE).read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def status(self) -> dict[str, Any]:
        return json.loads((self.folder / STATUS_FILE).read_text())

    def count(self, name: str) -> int:
        return sum(event["event"] == name for event in self.events())

    def has(self, name: str, number: int = 1) -> Callable[[], bool]:
        return lambda: self.count(name) >= number

    def troubles(self) -> dict[str, str]:
        return {e["kind"]: e["sentence"] for e in self.events() if e["event"] == "trouble"}

    def message(self, kind: str = protocol.QUERY_HELLO, ttl: float = 120.0, **more: Any) -> Message:
        records = {protocol.CONFIG: ConfigRecord(hello_config(**more.pop("config", {}))), **more}
        return Message(RecordDict(records), self.node_id, kind, ttl=ttl)


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    with running_superlink(tmp_path_factory.mktemp("superlink")) as running:
        yield running


@pytest.fixture(scope="module")
def grid(link: SuperLink) -> HttpGrid:
    return link.start_run(BUNDLE)


@pytest.fixture(scope="module")
def site(link: SuperLink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("sites") / "north", link)
    site.node_id = link.admit(site.node_key)
    site.start()
    wait_until(site.has("connected"))
    yield site
    if site.process is not None and site.process.poll() is None:
        site.kill(signal.SIGTERM)


def slow_hello(site: Site, epsilon: float) -> Message:
    """A question that takes a site some time: a budget that it has not calibrated noise to yet."""
    return site.message(ttl=300.0, config={"epsilon": epsilon})


def is_in_work(site: Site) -> Callable[[], bool]:
    return (site.folder / QUESTION_FILE).exists


def is_accepted(reply: Message) -> bool:
    return reply.has_content() and bool(
        reply.content.config_records[protocol.CONFIG][protocol.ACCEPTED]
    )


def code(reply: Message) -> str:
    return str(reply.error.reason)


def test_hello_is_answered_by_the_program_that_the_site_installed(
    site: Site, grid: HttpGrid
) -> None:
    assert is_accepted(ask(grid, site.message()))
    assert not list((site.folder / "state").rglob("*.py"))  # the bundle was not unpacked


def test_what_no_coordinator_sends_is_refused_and_the_next_hello_is_answered(
    site: Site, grid: HttpGrid
) -> None:
    ledger = (site.folder / "ledger.sqlite").read_bytes()
    assert code(ask(grid, site.message("query.other"))) == "unknown-message"
    assert code(ask(grid, site.message(config={"study_id": "another"}))) == "not-joined"
    assert code(ask(grid, site.message(config={"config_hash": "0" * 64}))) == "not-joined"
    bad = Array(dtype="object", shape=(1,), stype="numpy.ndarray", data=b"\x80\x04N.")
    pickle = {protocol.ARRAYS: ArrayRecord({"w": bad})}
    config = {"server_round": 1, "pooled_noise_std": 1.0}
    assert code(ask(grid, site.message("train", config=config, **pickle))) == "malformed"
    assert site.process is not None
    memory = PeakMemory(site.process.pid)
    before = memory.peak()
    huge = {protocol.ARRAYS: ArrayRecord({"w": Array(np.random.default_rng(0).random(25_000_000))})}
    assert code(ask(grid, site.message("train", **huge))) == "too-large"  # of 200 MB
    assert memory.peak() - before < 200e6
    assert is_accepted(ask(grid, site.message()))
    assert (site.folder / "ledger.sqlite").read_bytes() == ledger


def test_a_run_under_another_bundle_is_refused(site: Site, grid: HttpGrid, link: SuperLink) -> None:
    other = link.start_run(make_bundle("1.0.1"))
    assert code(ask(other, site.message())) == "unknown-bundle"


def test_a_node_that_was_killed_over_a_question_answers_it_after_all(
    site: Site, link: SuperLink
) -> None:
    grid = link.start_run(BUNDLE)
    before = site.count("question")
    (message_id,) = grid.push_messages([slow_hello(site, 0.51)])
    wait_until(is_in_work(site))
    site.kill()
    answered = site.count("delivered")
    site.start()
    assert is_accepted(wait_for(grid, message_id, 60))
    assert site.count("question") - before in (1, 2)  # killed before or after it was begun
    wait_until(site.has("delivered", answered + 1))
    assert "still-online" not in site.troubles()


def test_a_server_that_is_gone_for_a_while_loses_nothing(site: Site, link: SuperLink) -> None:
    grid = link.start_run(BUNDLE)
    (message_id,) = grid.push_messages([slow_hello(site, 0.52)])
    wait_until(is_in_work(site))
    link.stop()
    wait_until(lambda: "unreachable" in site.troubles(), 30)
    wait_until(lambda: "cannot be reached" in site.status()["detail"])
    time.sleep(12)
    link.start()
    assert is_accepted(wait_for(grid, message_id))
    assert is_accepted(ask(grid, site.message()))
    assert site.process is not None and site.process.poll() is None


def test_a_revoked_site_says_so_and_goes_on_trying(site: Site, link: SuperLink) -> None:
    link.revoke(site.node_id)
    wait_until(lambda: "not-admitted" in site.troubles(), 30)
    assert "admission.toml" in site.troubles()["not-admitted"]
    wait_until(lambda: site.status()["state"] == "connecting")
    assert site.kill(signal.SIGTERM) == 143


@pytest.mark.parametrize("case", ["unregistered", "wrong authority", "no tls"])
def test_what_keeps_a_site_out_is_said_and_patience_ends(
    link: SuperLink, tmp_path: Path, case: str
) -> None:
    changes: dict[str, str] = {}
    if case == "wrong authority":
        changes = {"certificate": write_certificates(tmp_path / "tls")}
    server = None
    if case == "no tls":
        words = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
        server = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        changes = {"address": f"localhost:{port}"}
    site = Site(tmp_path / "south", link, **changes)
    try:
        seen: list[dict[str, Any]] = []
        command = node_command(
            site.folder, study=STUDY.name, config_hash=STUDY.digest(), patience_s=3.0
        )
        exit_code = supervise(
            command,
            folder=site.folder,
            environment=flower_variables(site.folder),
            on_event=seen.append,
        )
    finally:
        if server is not None:
            server.kill()
            server.communicate()
    assert exit_code == 1
    kind, words = {
        "unregistered": ("not-admitted", "does not admit this site"),
        "wrong authority": ("certificate", "is not one of the coordinator's"),
        "no tls": ("certificate", "does not speak TLS"),
    }[case]
    assert words in site.troubles()[kind]
    assert words in next(e for e in seen if e["event"] == "gave-up")["sentence"]
