"""A reply of which a stock SuperLink has the announcement alone: it takes the parts later."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import hello_config
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.superlink.grid.http_grid import HttpGrid
from real_superlink import SuperLink, make_bundle, running_superlink, wait_for
from tiny_sites import write_site

from client.node.channel import Watch, open_channel
from client.node.coordinator_file import Coordinator
from client.node.fleet import FleetLink
from client.node.keys import load_node_key
from client.node.pulled import Sent
from server.deploy.grid import StudyGrid
from strategies import protocol

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    with running_superlink(tmp_path_factory.mktemp("superlink")) as running:
        yield running


def connect(folder: Path, superlink: SuperLink) -> FleetLink:
    write_site(folder, seed=None)
    key = load_node_key(folder)
    public = public_key_to_bytes(key.public_key())
    superlink.admit(public)
    coordinator = Coordinator(
        address=superlink.address,
        bundles=("00" * 32,),
        public_key="00" * 32,
        certificate=superlink.authority,
    )
    watch = Watch()
    channel = open_channel(coordinator, key, watch)
    return FleetLink(channel, watch, folder=folder, address=superlink.address, public_key=public)


def fail_after(link: FleetLink, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the line break once, when so many parts of a reply have arrived."""
    client, sent = link._client, iter(range(100))
    push = client.PushObject

    def push_or_break(request: object) -> object:
        if next(sent) == parts:
            raise ConnectionResetError("cut")
        return push(request)

    monkeypatch.setattr(client, "PushObject", push_or_break)


@pytest.mark.parametrize("taken_up_by", ["coordinator first", "site first"])
def test_what_was_announced_alone_is_finished_at_once(
    superlink: SuperLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken_up_by: str
) -> None:
    link = connect(tmp_path / "north", superlink)
    try:
        node_id = link.activate()
        grid = superlink.start_run(make_bundle())
        config = RecordDict({protocol.CONFIG: ConfigRecord(hello_config())})
        question = Message(config, node_id, protocol.QUERY_HELLO, ttl=120.0)
        (message_id,) = grid.push_messages([question])
        pulled = link.receive()
        assert pulled is not None
        reply = Message(
            RecordDict({protocol.CONFIG: ConfigRecord({"n": 7})}), reply_to=pulled.envelope
        )
        fail_after(link, 1, monkeypatch)
        began = time.monotonic()
        end = began if taken_up_by == "coordinator first" else began + 30
        sent = link.send(reply, until=end, on_trouble=lambda trouble: None)
        assert (sent is Sent.DELIVERED) == (taken_up_by == "site first")
        found: list[Message] = []
        waiter = threading.Thread(target=lambda: found.append(wait_for(grid, message_id)))
        waiter.start()
        if sent is not Sent.DELIVERED:
            time.sleep(1.5)  # the reply is handed to the coordinator's side without its parts
            later = link.send(reply, until=began + 30, on_trouble=lambda trouble: None)
            assert later is Sent.DELIVERED
        waiter.join()
        assert found[0].content.config_records[protocol.CONFIG]["n"] == 7
        assert time.monotonic() - began < 20  # the SuperLink gives parts up after 180 s
    finally:
        link.close()


def test_the_coordinator_sees_whether_a_site_has_its_question_safely(
    superlink: SuperLink, tmp_path: Path
) -> None:
    link = connect(tmp_path / "north", superlink)
    try:
        node_id = link.activate()
        grid = superlink.start_run(make_bundle())
        config = RecordDict({protocol.CONFIG: ConfigRecord(hello_config())})
        (message_id,) = grid.push_messages([Message(config, node_id, "query.hello", ttl=60.0)])
        assert not StudyGrid._is_taken(grid, message_id)  # type: ignore[arg-type]
        pulled = link.receive()
        assert pulled is not None
        assert not StudyGrid._is_taken(grid, message_id)  # type: ignore[arg-type]
        link.confirm(pulled.envelope)
        assert StudyGrid._is_taken(grid, message_id)  # type: ignore[arg-type]
    finally:
        link.close()


def test_a_reply_that_arrived_may_be_sent_again(superlink: SuperLink, tmp_path: Path) -> None:
    link = connect(tmp_path / "north", superlink)
    try:
        node_id = link.activate()
        grid: HttpGrid = superlink.start_run(make_bundle())
        config = RecordDict({protocol.CONFIG: ConfigRecord(hello_config())})
        (message_id,) = grid.push_messages([Message(config, node_id, "query.hello", ttl=60.0)])
        pulled = link.receive()
        assert pulled is not None
        reply = Message(config, reply_to=pulled.envelope)
        for _ in range(2):
            sent = link.send(reply, until=time.monotonic() + 10, on_trouble=lambda trouble: None)
            assert sent is Sent.DELIVERED
        assert wait_for(grid, message_id).has_content()
        sent = link.send(reply, until=time.monotonic() + 10, on_trouble=lambda trouble: None)
        assert sent is Sent.DELIVERED
    finally:
        link.close()
