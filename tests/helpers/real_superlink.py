"""A stock SuperLink on loopback, with TLS and admitted nodes only, and a run's own hands."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Message
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest, UnregisterNodeRequest
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.run import Run
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid.http_grid import HttpGrid

_PROJECT = """\
[project]
name = "badge"
version = "{version}"
description = "d"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "tests"
[tool.flwr.app.components]
serverapp = "a:app"
clientapp = "b:app"
[tool.flwr.app.config]
"""
_START = "from flwr.superlink.cli import flower_superlink; flower_superlink()"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def write_certificates(folder: Path) -> str:
    """Write server.pem and server.key of a new authority; return the authority's PEM."""
    now = datetime.now(UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])

    def sign(subject: str, public: ec.EllipticCurvePublicKey, is_ca: bool) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
        places = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
        )
        return builder.sign(ca_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    authority = sign("tests", ca_key.public_key(), True).public_bytes(pem)
    folder.mkdir(exist_ok=True)
    (folder / "ca.pem").write_bytes(authority)
    (folder / "server.pem").write_bytes(
        sign("localhost", key.public_key(), False).public_bytes(pem)
    )
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)
    return authority.decode("ascii")


def make_bundle(version: str = "1.0.0") -> bytes:
    """A bundle of Flower that holds nothing."""
    files = {
        "pyproject.toml": _PROJECT.format(version=version),
        "a.py": "app = None\n",
        "b.py": "app = None\n",
    }
    listing = "\n".join(
        f"{name},{hashlib.sha256(text.encode()).hexdigest()},{len(text) * 8}"
        for name, text in files.items()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**files, ".info/CONTENT": listing}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


class SuperLink:
    """One server that can be stopped and started again on the same port and database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.authority = write_certificates(folder / "tls")
        self._secret = os.urandom(32)
        (folder / "secret").write_bytes(self._secret)
        self._process: subprocess.Popen[bytes] | None = None
        self._grids: list[HttpGrid] = []
        self._beats: list[HeartbeatSender] = []
        self._clients: list[ControlHttpClient | RuntimeHttpClient] = []

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> None:
        tls = self.folder / "tls"
        words = [
            *("--ssl-certfile", tls / "server.pem", "--ssl-keyfile", tls / "server.key"),
            *("--ssl-ca-certfile", tls / "ca.pem", "--host", "127.0.0.1", "--port", self.port),
            *("--database", self.folder / "state.db", "--enable-supernode-auth"),
            *("--isolation", "process", "--superexec-auth-secret-file", self.folder / "secret"),
            "--disable-runtime-dependency-installation",
        ]
        quiet = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
        with (self.folder / "superlink.out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, *map(str, words)],
                env=os.environ | quiet | {"FLWR_HOME": str(self.folder / "flower")},
                stdout=out,
                stderr=out,
            )
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None
        try:
            return httpx.get(f"https://{self.address}/health", verify=self._context()).is_success
        except httpx.HTTPError:
            return False

    def _context(self):
        import ssl

        return ssl.create_default_context(cadata=self.authority)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        for beat in self._beats:
            beat._stop_event.set()
        self.stop()
        for client in self._clients:
            client.close()
        for grid in self._grids:
            grid.close()

    def _control(self) -> ControlHttpClient:
        client = ControlHttpClient.from_server_address(
            self.address,
            False,
            self.authority.encode(),
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr-cli")],
        )
        self._clients.append(client)
        return client

    def admit(self, public_pem: bytes, name: str = "site") -> int:
        request = RegisterNodeRequest(public_key=public_pem, name=name)
        return int(self._control().RegisterNode(request).node_id)

    def revoke(self, node_id: int) -> None:
        self._control().UnregisterNode(UnregisterNodeRequest(node_id=node_id))

    def start_run(self, bundle: bytes) -> HttpGrid:
        """Start a run and take its task; return the hands that send messages in it."""
        fab = Fab(hash_str=hashlib.sha256(bundle).hexdigest(), content=bundle)
        run_id = self._control().StartRun(StartRunRequest(fab=fab)).run_id
        token, task_id = self._acquire()
        client = RuntimeHttpClient.from_server_address(
            self.address,
            False,
            self.authority.encode(),
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="flwr-serverapp"),
                RuntimeTokenHttpInterceptor(token),
            ],
        )
        self._clients.append(client)
        client.PullTaskInput(PullTaskInputRequest())  # from here on the run is running
        beat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        beat.start()
        self._beats.append(beat)
        grid = HttpGrid(self.address, False, self.authority.encode(), token=token)
        self._grids.append(grid)
        grid.set_run(Run.create_empty(run_id=run_id))
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, 1, task_id
        return grid

    def _acquire(self) -> tuple[str, int]:
        method = "/flwr.proto.Runtime/AcquireTask"
        with RuntimeHttpClient.from_server_address(
            self.address,
            False,
            self.authority.encode(),
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="flower-superexec"),
                SuperExecAuthHttpInterceptor(
                    master_secret=self._secret, protected_methods=[method]
                ),
            ],
        ) as client:
            request = AcquireTaskRequest(supported_task_types=["flwr-serverapp"])
            answer = client.AcquireTask(request)
        assert answer.token
        return answer.token, answer.task.task_id


@contextmanager
def running_superlink(folder: Path) -> Iterator[SuperLink]:
    link = SuperLink(folder)
    try:
        link.start()
        yield link
    finally:
        link.close()


def ask(grid: HttpGrid, message: Message, seconds: float = 20.0) -> Message:
    """Send one message and wait for its reply."""
    (message_id,) = grid.push_messages([message])
    return wait_for(grid, message_id, seconds)


def wait_for(grid: HttpGrid, message_id: str, seconds: float = 60.0) -> Message:
    end = time.monotonic() + seconds
    while True:
        found = list(grid.pull_messages([message_id]))
        if found:
            return found[0]
        assert time.monotonic() < end, "no reply came in time"
        time.sleep(0.2)
