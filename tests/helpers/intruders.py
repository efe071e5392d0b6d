"""What somebody can try who reaches a coordinator's door, or sits at its loopback."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

import httpx
from fake_node import FakeNode
from flwr.proto.message_pb2 import PushObjectRequest
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import PushAppMessagesRequest
from flwr.superlink.grid.http_grid import HttpGrid
from packets import Packet
from real_superlink import SuperLink

from client.node.keys import load_node_key
from server.deploy.folder import ServerFolder

_LIST = "/v1/control/list-runs"
_FLEET = "/v1/fleet/pull-messages"
PATHS = (
    _LIST,
    "/v1/runtime/acquire-task",
    "/v1/runtime/pull-task-input",
    f"/v1/fleet/..{_LIST[3:]}",
    f"/v1/fleet/..%2f{_LIST[4:]}",
    f"/v1/fleet/%2e%2e{_LIST[3:]}",
    f"/v1/fleet/..;{_LIST[3:]}",
    f"/v1/fleet//..{_LIST[3:]}",
    f"/{_LIST}",
    f"/.{_LIST}",
    # what the proxy takes for a site's call and the server behind it could take for another
    f"{_LIST}/../../fleet/pull-messages",
    f"{_LIST}/..%2f..%2ffleet/pull-messages",
    f"{_LIST}%3f/../../fleet/pull-messages",
    f"{_LIST}?/../../fleet/pull-messages",
    f"{_LIST}#/../../fleet/pull-messages",
    "https://localhost" + _LIST,
    "https://127.0.0.1:1" + _LIST,
    "/docs",
    "/openapi.json",
    "/health",
)
_TYPE = "Content-Type: application/x-protobuf\r\n"
_INNER = f"POST {_LIST} HTTP/1.1\r\nHost: localhost\r\n{_TYPE}Content-Length: 0\r\n\r\n"
# Two requests in one, by a length on which two servers could disagree.
SMUGGLED = (
    f"POST {_FLEET} HTTP/1.1\r\nHost: localhost\r\n{_TYPE}Content-Length: {len(_INNER) + 5}\r\n"
    f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{_INNER}",
    f"POST {_FLEET} HTTP/1.1\r\nHost: localhost\r\n{_TYPE}Content-Length: 0\r\n"
    f"Content-Length: {len(_INNER)}\r\n\r\n{_INNER}",
    f"POST {_FLEET} HTTP/1.1\r\nHost: localhost\r\n{_TYPE}Transfer-Encoding: xchunked\r\n"
    f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{_INNER}",
    f"POST {_FLEET} HTTP/1.1\r\nHost: localhost\r\n{_TYPE}Transfer-Encoding : chunked\r\n\r\n"
    f"0\r\n\r\n{_INNER}",
    f"POST {_FLEET} HTTP/1.1\r\nHost: localhost\r\nX: a\rPOST {_LIST} HTTP/1.1\r\n\r\n",
)
HOSTS = ("superlink", "127.0.0.1", "localhost:1", "a b", "")


def trust(server: ServerFolder) -> ssl.SSLContext:
    """Return what somebody has who has only the certificate."""
    return ssl.create_default_context(cafile=str(server.authority))


def say(server: ServerFolder, text: str) -> list[int]:
    """Say something to the door over TLS; return the status of every answer."""
    with (
        socket.create_connection(("127.0.0.1", server.config.port), 10) as plain,
        trust(server).wrap_socket(plain, server_hostname="localhost") as line,
    ):
        line.sendall(text.encode("latin-1"))
        line.settimeout(1.0)
        heard = b""
        try:
            while piece := line.recv(65536):
                heard += piece
        except (TimeoutError, ConnectionError):
            pass
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", heard)]


def post(server: ServerFolder, path: str, *, host: str = "localhost", http: str = "1.1") -> int:
    text = f"POST {path} HTTP/{http}\r\nHost: {host}\r\n{_TYPE}Content-Length: 0\r\n"
    (code,) = say(server, text + "Connection: close\r\n\r\n")
    return code


def with_key_of(folder: Path) -> FakeNode:
    """A program that has a site's key."""
    node = FakeNode(name=folder.name)
    node.key = load_node_key(folder)
    return node


def refusal(call: object) -> int:
    """Return the status with which a call is refused, 0 if it is not."""
    assert callable(call)
    try:
        call()
    except httpx.HTTPStatusError as error:
        return int(error.response.status_code)
    return 0


class HostileCoordinator(SuperLink):
    """Somebody who has all that a coordinator has, beside the study that runs there."""

    def __init__(self, server: ServerFolder) -> None:
        self.folder = server.path
        self.port = server.config.superlink_port
        self.authority = server.authority.read_text()
        self._secret = server.read_superexec_secret()
        self._process = None
        self._grids, self._beats, self._clients = [], [], []


def push(grid: HttpGrid, packet: Packet) -> str:
    """Send a question in pieces, as it is."""
    client = grid._runtime_client
    taken = client.PushMessages(
        PushAppMessagesRequest(messages_list=[packet.announced], message_object_trees=[packet.tree])
    )
    for name in taken.objects_to_push:
        client.PushObject(
            PushObjectRequest(
                node=Node(node_id=1),
                run_id=packet.announced.metadata.run_id,
                object_id=name,
                object_content=packet.parts[name],
                session_id=taken.session_id,
            )
        )
    return packet.announced.metadata.message_id
