"""A real SuperLink behind a real nginx: what gets through, and what a study sees of its sites."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from coordinators import Coordinator, running_coordinator, until
from fake_node import FakeNode, echo
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.proto.fleet_pb2 import PullMessagesRequest, RegisterNodeFleetRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes

from server.deploy.admitting import admit, revoke
from server.deploy.control import open_control
from server.deploy.folder import ServerFolder
from server.deploy.grid import StudyGrid
from server.deploy.link import alone, open_run
from server.deploy.process_records import PidFile
from server.deploy.processes import start_server
from server.deploy.registry import load_registry
from server.deploy.runtime import connect
from server.deploy.status import read_status
from strategies.collect import match_replies
from strategies.errors import StudyFailed
from synthesis import InputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    with running_coordinator(tmp_path_factory.mktemp("coordinator")) as running:
        yield running


@pytest.fixture
def server(coordinator: Coordinator) -> ServerFolder:
    return coordinator.server


@pytest.fixture(scope="module")
def nodes(coordinator: Coordinator) -> Iterator[list[FakeNode]]:
    nodes = [FakeNode(name=f"clinic-{i}") for i in range(2)]
    for node in nodes:
        admit(coordinator.server, node.admission)
        node.join(coordinator.server)
    yield nodes
    for node in nodes:
        node.leave()


def post(server: ServerFolder, path: str, method: str = "POST") -> int:
    context = ssl.create_default_context(cafile=str(server.authority))
    connection = http.client.HTTPSConnection(
        "localhost", server.config.port, timeout=10, context=context
    )
    headers = {"content-type": "application/x-protobuf"}
    with closing(connection):
        connection.request(method, path, body=b"", headers=headers)
        return connection.getresponse().status


def ask_all(grid: StudyGrid, value: int, timeout: float, among: list[int]) -> dict[int, Message]:
    content = RecordDict({"config": ConfigRecord({"x": value})})
    messages = [Message(content, node, "query.test", ttl=timeout) for node in among]
    return dict(match_replies(messages, grid.send_and_receive(messages, timeout=timeout)))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/control/start-run",
        "/v1/control/list-runs",
        "/v1/runtime/acquire-task",
        "/v1/fleet/../control/list-runs",
        "/v1/fleet/%2e%2e/control/list-runs",
        "/v1//control/list-runs",
        "//v1/runtime/acquire-task",
        "/V1/control/list-runs",
        "/v1/fleet",
        "/docs",
        "/openapi.json",
        "/health",
    ],
)
def test_the_proxy_lets_nothing_through_but_what_sites_need(
    server: ServerFolder, path: str
) -> None:
    assert post(server, path) == 403


def test_the_proxy_lets_sites_post_and_do_nothing_else(server: ServerFolder) -> None:
    assert post(server, "/v1/fleet/pull-messages") in (401, 415)  # it is the SuperLink that refuses
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert post(server, "/v1/fleet/pull-messages", method) == 403


def test_the_proxy_speaks_no_plain_http_and_no_old_tls(server: ServerFolder) -> None:
    port = server.config.port
    assert httpx.get(f"http://127.0.0.1:{port}/v1/fleet/", trust_env=False).status_code == 400
    context = ssl.create_default_context(cafile=str(server.authority))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    with closing(connection), pytest.raises(ssl.SSLError):
        connection.request("POST", "/v1/fleet/pull-messages")


def test_nobody_takes_a_task_over_without_the_secret(server: ServerFolder) -> None:
    request = AcquireTaskRequest(supported_task_types=["flwr-serverapp"])
    wrong = SuperExecAuthHttpInterceptor(
        master_secret=b"guessed", protected_methods={"/flwr.proto.Runtime/AcquireTask"}
    )
    for interceptors in ([], [wrong]):
        with connect(server, interceptors) as client, pytest.raises(httpx.HTTPStatusError) as error:
            client.AcquireTask(request)
        assert error.value.response.status_code == 401


def test_who_has_only_the_certificate_gets_nowhere(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    stranger = FakeNode(name="stranger")
    key = public_key_to_bytes(stranger.key.public_key())
    victim = load_registry(server).active[0].node_id or 0
    with stranger.client(server) as client:
        for call in (
            lambda: client.RegisterNode(RegisterNodeFleetRequest(public_key=key)),
            lambda: stranger.activate(client),
            lambda: client.PullMessages(PullMessagesRequest(node=Node(node_id=victim))),
        ):
            with pytest.raises(httpx.HTTPStatusError) as error:
                call()
            assert error.value.response.status_code in (400, 401, 403, 412)


def test_a_study_asks_its_sites_and_gets_their_answers_quickly(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    with alone(server), open_run(server, deadline_s=20) as grid:
        online = sorted(grid.get_node_ids())
        assert len(online) == 2
        began = time.monotonic()
        for value in range(3):
            answers = ask_all(grid, value, 20, online)
            assert sorted(answers) == online
            for node, reply in answers.items():
                assert reply.content["config"]["x"] == value
                assert reply.metadata.src_node_id == node
        trip = (time.monotonic() - began) / 3
        with pytest.raises(StudyFailed, match="another study"), alone(server):
            pass
    with open_control(server) as control:
        assert control.unfinished_runs() == []
    assert trip < 5


def test_a_run_that_was_left_behind_is_ended_before_a_new_one(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    with open_control(server) as control:
        left_behind = control.start_run()
    with open_run(server, deadline_s=20), open_control(server) as control:
        assert left_behind not in control.unfinished_runs()
        assert len(control.unfinished_runs()) == 1


def test_a_site_that_left_is_asked_again_when_it_is_back(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    events: list[dict[str, object]] = []
    nodes[0].leave()
    with open_run(server, deadline_s=20, on_event=events.append) as grid:
        ids = [site.node_id or 0 for site in load_registry(server).active]

        def come_back(event: dict[str, object]) -> None:
            if event["event"] == "site-lost":
                nodes[0].join(server)

        grid._on_event = lambda event: (events.append(event), come_back(event))[0]
        answers = ask_all(grid, 7, 30, ids)
    told = [e["event"] for e in events if e["event"] not in ("sites-online", "site-answered")]
    assert told == ["site-lost", "site-back"]
    assert not any(reply.has_error() for reply in answers.values())
    assert sorted(answers) == sorted(ids)


def test_sites_that_stay_away_cost_the_grace_and_a_broken_reply_costs_the_deadline(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    ids = [site.node_id or 0 for site in load_registry(server).active]
    nodes[0].leave()
    try:
        with open_run(server, deadline_s=20, grace_s=1.5) as grid:
            began = time.monotonic()
            answers = ask_all(grid, 8, 30, ids)
            assert 1.5 < time.monotonic() - began < 8
            assert answers[ids[0]].error.code == 5
            assert not answers[ids[1]].has_error()
            nodes[1].holds_back = True
            began = time.monotonic()
            assert ask_all(grid, 9, 4, [ids[1]]) == {}
            assert 4 <= time.monotonic() - began < 5
    finally:
        nodes[1].holds_back = False
        nodes[0].join(server)


def test_a_study_survives_the_death_of_the_superlink(
    coordinator: Coordinator, nodes: list[FakeNode]
) -> None:
    """One site has the question then; the other's was handed out and got lost in the fall."""
    server = coordinator.server
    with open_run(server, deadline_s=20) as grid:
        ids = sorted(grid.get_node_ids())
        assert len(ids) == 2
        pid = PidFile(server.run / "superlink.pid").running()
        assert pid is not None

        def kill_first(message: Message) -> RecordDict:
            nodes[0].answer = echo
            until(lambda: not nodes[1].misses, 20)
            os.kill(pid, signal.SIGKILL)
            return message.content

        nodes[0].answer = kill_first
        nodes[1].misses = 1
        answers = ask_all(grid, 10, 60, ids)
        assert sorted(answers) == ids
        assert not any(reply.has_error() for reply in answers.values())
    events = [json.loads(line)["event"] for line in coordinator.output.read_text().splitlines()]
    assert events == ["started", "started", "ended", "started"]


def test_a_run_that_is_stopped_by_hand_ends_the_study_in_a_sentence(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    with (
        pytest.raises(StudyFailed, match="ended at the SuperLink"),
        open_run(server, deadline_s=20) as grid,
    ):
        ids = sorted(grid.get_node_ids())
        with open_control(server) as control:
            control.stop_run(control.unfinished_runs()[0])
        ask_all(grid, 11, 20, ids)


def test_the_registry_decides_who_is_in(server: ServerFolder, nodes: list[FakeNode]) -> None:
    late = FakeNode(name="late")
    site = admit(server, late.admission)
    assert site.node_id is not None
    late.join(server)
    assert "late" in read_status(server).online
    with pytest.raises(InputError, match="admitted already"):
        admit(server, late.admission)
    assert revoke(server, "late")
    with late.client(server) as client, pytest.raises(httpx.HTTPStatusError):
        late.activate(client)
    status = read_status(server)
    assert "late" in status.revoked
    assert "late" not in status.online
    assert status.superlink and status.proxy and status.supervised


def test_a_second_start_is_refused_in_a_sentence(server: ServerFolder) -> None:
    with pytest.raises(InputError, match="runs already"):
        start_server(server)


def test_no_secret_is_on_a_command_line_or_in_a_log_and_no_file_is_open_to_others(
    server: ServerFolder, nodes: list[FakeNode]
) -> None:
    secret = server.secret_file.read_bytes()
    for name in ("superlink", "proxy"):
        pid = PidFile(server.run / f"{name}.pid").running()
        assert pid is not None
        if Path("/proc").is_dir():
            assert secret not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert secret not in Path(f"/proc/{pid}/environ").read_bytes()
    for log in server.logs.iterdir():
        assert secret not in log.read_bytes()
    assert not [p for p in server.path.rglob("*") if stat.S_IMODE(p.stat().st_mode) & 0o077]
