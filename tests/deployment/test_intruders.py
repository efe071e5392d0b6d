"""Who is kept out while a study runs, and that the study does not notice.

One study is held in the middle of a round by a site whose process is stopped. Then everybody tries
whatever they can; in the end the site goes on and so does the study. That a site refuses a wrong
authority and plain text is shown in tests/client/node/test_real_superlink.py.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from fake_node import FakeNode
from federation import Federation, federation, wait_for
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PushMessagesRequest,
    RegisterNodeFleetRequest,
    UnregisterNodeFleetRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import PullObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message
from intruders import (
    HOSTS,
    PATHS,
    SMUGGLED,
    HostileCoordinator,
    post,
    push,
    refusal,
    say,
    trust,
    with_key_of,
)
from packets import bomb, pack
from real_superlink import wait_for as wait_for_reply

from server.deploy.bundle import build_bundle
from server.deploy.control import open_control
from server.deploy.folder import ServerFolder, load_server
from server.deploy.registry import load_registry
from server.deploy.runtime import connect
from server.question import settings_of
from server.study import load_study
from strategies import protocol
from strategies.protocol import ARRAYS, CONFIG, SERVER_ROUND, TRAIN

pytestmark = pytest.mark.slow
OUT = (400, 401, 403, 404, 405, 412, 415)


def test_intruders_get_nowhere_while_a_study_runs(tmp_path: Path) -> None:
    with federation(tmp_path) as lab:
        server = load_server(lab.server)
        study = lab.write_study("guarded", minimum_sites=2, deadline_s=90.0)
        names = ("north", "south", "west")
        joined = {name: lab.join(name, study) for name in names if lab.add_site(name)}
        lab.add_site("gone")
        lab.cli("server", "revoke", "gone", "--server", "coordinator")
        for name in names:
            wait_for(lambda name=name: heard(lab, name, "connected"), f"site {name}")
        run = lab.run(study)
        wait_for(lambda: "round-started" in told(lab), "round", 90)
        held = json.loads((lab.folder / "south/state/node.json").read_bytes())["pid"]
        os.kill(held, signal.SIGSTOP)
        before = known(server)
        try_the_door(server)
        try_without_admission(lab, server)
        try_as_another_site(lab, server)
        try_stolen_headers(lab, server)
        assert known(server) == before
        lie_to_a_site(lab, server, study)
        revoke_in_the_middle(lab, server)
        assert run.poll() is None
        os.kill(held, signal.SIGCONT)
        assert lab.end(run, 200) == 0, lab.said("guarded.out")
        lab.kill(joined.pop("west"))
        assert [lab.end(process) for process in joined.values()] == [0, 0]
        check_the_end(lab, server)


def told(lab: Federation) -> list[str]:
    return [event["event"] for event in lab.events("guarded")]


def heard(lab: Federation, site: str, event: str) -> bool:
    return any(one["event"] == event for one in lab.site_events(site))


def known(server: ServerFolder) -> tuple[list[int], dict[str, bool]]:
    """Runs and nodes of the SuperLink."""
    with open_control(server) as control:
        return control.unfinished_runs(), {n.node_key: n.online for n in control.nodes()}


def number_of(server: ServerFolder, name: str) -> int:
    return load_registry(server).find(name).node_id or 0


def try_the_door(server: ServerFolder) -> None:
    """With the certificate alone: other interfaces, tricks with paths, hosts and lengths."""
    for path in PATHS:
        for http in ("1.1", "1.0"):
            assert post(server, path, http=http) in OUT, path
    for host in HOSTS:
        assert post(server, "/v1/control/list-runs", host=host) in OUT, host
    for text in SMUGGLED:
        codes = say(server, text)
        assert codes and all(code in OUT for code in codes), (text, codes)
    with connect(server, []) as client:  # at the loopback, without the secret
        request = AcquireTaskRequest(supported_task_types=["flwr-serverapp"])
        assert refusal(lambda: client.AcquireTask(request)) == 401


def try_without_admission(lab: Federation, server: ServerFolder) -> None:
    """Without a key, with one of its own, a revoked one, and one that is online already."""
    victim = Node(node_id=number_of(server, "north"))
    stranger = FakeNode(name="stranger")
    key = public_key_to_bytes(stranger.key.public_key())
    with httpx.Client(verify=trust(server), trust_env=False) as plain:
        url = f"https://localhost:{server.config.port}/v1/fleet/pull-messages"
        body = PullMessagesRequest(node=victim).SerializeToString()
        headers = {"content-type": "application/protobuf"}
        assert plain.post(url, content=body, headers=headers).status_code == 401
    with stranger.client(server) as client:
        for call in (
            lambda: client.RegisterNode(RegisterNodeFleetRequest(public_key=key)),
            lambda: client.ActivateNode(
                ActivateNodeRequest(public_key=key, heartbeat_interval=30.0)
            ),
            lambda: client.PullMessages(PullMessagesRequest(node=victim)),
        ):
            assert refusal(call) in OUT
    for name in ("gone", "north"):
        node = with_key_of(lab.folder / name)
        with node.client(server) as client:
            assert refusal(lambda node=node, client=client: node.activate(client)) in OUT


def try_as_another_site(lab: Federation, server: ServerFolder) -> None:
    """An admitted site asks for what belongs to another: its number must be that of its key."""
    victim = Node(node_id=number_of(server, "north"))
    run_id = known(server)[0][0]
    with with_key_of(lab.folder / "west").client(server) as client:
        for call in (
            lambda: client.PullMessages(PullMessagesRequest(node=victim)),
            lambda: client.PushMessages(PushMessagesRequest(node=victim)),
            lambda: client.GetRun(GetRunRequest(node=victim, run_id=run_id)),
            lambda: client.PullObject(
                PullObjectRequest(node=victim, run_id=run_id, object_id="0" * 64)
            ),
            lambda: client.SendNodeHeartbeat(
                SendNodeHeartbeatRequest(node=victim, heartbeat_interval=30.0)
            ),
            lambda: client.DeactivateNode(DeactivateNodeRequest(node_id=victim.node_id)),
            lambda: client.UnregisterNode(UnregisterNodeFleetRequest(node_id=victim.node_id)),
        ):
            assert refusal(call) == 401


def try_stolen_headers(lab: Federation, server: ServerFolder) -> None:
    """Headers of a call sign the time alone: who had them could speak for that site, five minutes.

    They travel under TLS only, and no log holds them, so to have them is to have site or door.
    """
    site, own = with_key_of(lab.folder / "north"), Node(node_id=number_of(server, "north"))

    def beat(node: Node, signed: datetime, said: datetime | None = None) -> int:
        key = public_key_to_bytes(site.key.public_key())
        signature = sign_message(site.key, signed.isoformat().encode("ascii"))
        headers = {
            "content-type": "application/protobuf",
            "flwr-public-key": base64.b64encode(key).decode(),
            "flwr-timestamp": (said or signed).isoformat(),
            "flwr-signature": base64.b64encode(signature).decode(),
        }
        body = SendNodeHeartbeatRequest(node=node, heartbeat_interval=45.0).SerializeToString()
        url = f"https://localhost:{server.config.port}/v1/fleet/send-node-heartbeat"
        with httpx.Client(verify=trust(server), trust_env=False) as client:
            return client.post(url, content=body, headers=headers).status_code

    moment = datetime.now(UTC) - timedelta(minutes=2)
    assert beat(own, moment) == 200
    assert beat(Node(node_id=number_of(server, "west")), moment) == 401
    assert beat(own, moment - timedelta(minutes=4)) == 401
    assert beat(own, moment - timedelta(minutes=4), datetime.now(UTC)) == 401


def lie_to_a_site(lab: Federation, server: ServerFolder, file: Path) -> None:
    """A coordinator that asks one site what no study asks; the ledger stays as it was."""
    answered = [event for event in lab.site_events("north") if event["event"] == "delivered"]
    wait_for(lambda: answered or heard(lab, "north", "delivered"), "answer")
    time.sleep(2.0)
    wait_for(lambda: "round-1-kept" in lab.notes("north"), "answer of round 1")
    ledger = lab.notes("north")
    hostile, study = HostileCoordinator(server), load_study(file)
    try:
        altered = build_bundle().replace(b"that do nothing", b"that do_nothing", 1)
        grid = hostile.start_run(build_bundle())

        def make(number: int, value: float, **changes: str) -> Message:
            config = dict(settings_of(study)) | {SERVER_ROUND: number, "pooled-noise-std": 1.0}
            weights = ArrayRecord({"w": Array(np.full(3, value, np.float32))})
            content = RecordDict({CONFIG: ConfigRecord(config | changes), ARRAYS: weights})
            return Message(content, number_of(server, "north"), TRAIN, ttl=60.0)

        def code(packet: object, grid: object = grid) -> str:
            reply = wait_for_reply(grid, push(grid, packet), 60)  # type: ignore[arg-type]
            return str(reply.error.reason)

        for value in (float("nan"), float("inf"), 1e30):
            assert code(pack(make(2, value))) == "malformed"
        assert code(bomb(make(2, 0.0), ARRAYS, 125)) == "too-large"
        other = make(2, 0.0, **{protocol.CONFIG_HASH: "0" * 64})
        assert code(pack(other)) == "not-joined"
        assert code(pack(make(1, 0.0))) in ("already-released", "malformed")
        grid = hostile.start_run(altered)
        assert code(pack(make(2, 0.0)), grid) == "unknown-bundle"
    finally:
        hostile.close()
    assert lab.notes("north") == ledger
    log = (lab.folder / "north/logs/site.log").read_text()
    for words in ("whose bundle is not in", "has not joined", "unfolds to more than", "not-finite"):
        assert words in log, words


def revoke_in_the_middle(lab: Federation, server: ServerFolder) -> None:
    """The site is cut at once, and says so to its own people."""
    lab.cli("server", "revoke", "west", "--server", "coordinator")
    west = with_key_of(lab.folder / "west")
    with west.client(server) as client:
        node = Node(node_id=number_of(server, "west"))
        assert refusal(lambda: client.PullMessages(PullMessagesRequest(node=node))) == 401
        assert refusal(lambda: west.activate(client)) in OUT
    wait_for(lambda: heard(lab, "west", "trouble"), "trouble")
    assert "does not admit this site" in (lab.folder / "west/logs/site.log").read_text()


def check_the_end(lab: Federation, server: ServerFolder) -> None:
    """A release of two sites, their ledgers as planned, and a line for every refusal."""
    ends = [event for event in lab.events("guarded") if event["event"].startswith("round-f")]
    assert all({"north", "south"} <= set(event["valid"]) for event in ends)
    assert ends[-1]["valid"] == ["north", "south"]
    for name in ("north", "south"):
        kept = [note for note in lab.notes(name) if note.endswith("-kept")]
        assert sorted(kept) == ["evaluation-kept", "round-1-kept", "round-2-kept", "sketch-kept"]
        receipt = lab.release("guarded") / "receipts" / f"{name}.txt"
        lab.cli("audit", "ledger", f"{name}/ledger.sqlite", "--receipt", receipt)
    numbers = [str(number_of(server, name)) for name in ("north", "south", "west")]
    for path in [p for p in lab.release("guarded").rglob("*") if p.is_file()]:
        # a number of a node is all that keeps sites from asking in the coordinator's name
        assert not any(number.encode() in path.read_bytes() for number in numbers), path
    wait_for(lambda: "/v1/control/list-runs 403" in access(server), "line of the proxy's log")
    for words in ("/v1/fleet/pull-messages 401", "/v1/fleet/activate-node 4", "/docs 403"):
        assert words in access(server), words
    key = (lab.folder / "north/keys/node.pem").read_text().splitlines()[1]
    for log in server.logs.iterdir():
        text = log.read_text(errors="replace")
        assert key not in text and "flwr-signature" not in text.lower()


def access(server: ServerFolder) -> str:
    return (server.logs / "proxy-access.log").read_text()
