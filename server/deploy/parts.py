"""The two processes of a coordinator: how each is started, and how to see that it answers."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.deploy.folder import LOOPBACK, ServerFolder
from server.deploy.process_records import PidFile
from server.deploy.proxy import proxy_command
from synthesis import InputError

_RUN_SUPERLINK = "from flwr.superlink.cli import flower_superlink; flower_superlink()"
_ANYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}
_QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
_LARGEST_LOG = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process: how to start it and how to ask it whether it is there.

    Attributes:
        name: in pid files, logs and sentences.
        command: what to run; it holds no secret.
        environment: added to that of this process.
        server: the coordinator's folder, where its pid file and its log go.
        address: address and port that it must have for itself.
        answers: asks it.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    server: ServerFolder
    address: tuple[str, int]
    answers: Callable[[], bool]

    @property
    def pid_file(self) -> PidFile:
        """Where its process id is kept."""
        return PidFile(self.server.run / f"{self.name}.pid")

    @property
    def log(self) -> Path:
        """What it says on its way up and down."""
        return self.server.logs / f"{self.name}.out"

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process in a session of its own; what it writes is closed to others."""
        self.server.logs.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".out.1"))
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                self.command,
                env=os.environ | self.environment,
                cwd=self.server.path,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        finally:
            os.close(descriptor)
        self.pid_file.write(process.pid)
        return process

    def last_words(self, lines: int = 12) -> str:
        """Return the end of the log."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def check_port(self) -> None:
        """Raise InputError unless its port is free and may be used."""
        address, port = self.address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise InputError(
                    f"port {port} on {address} must be free for the {self.name}, and it is not "
                    f"({error.strerror}); stop what uses it, or choose another in server.toml.",
                    argument="port",
                ) from None


def superlink_part(server: ServerFolder) -> Part:
    """Return Flower's SuperLink, on loopback, with TLS, registered sites only."""
    flags = {
        "--ssl-certfile": server.certificate,
        "--ssl-keyfile": server.certificate_key,
        "--ssl-ca-certfile": server.authority,
        "--host": LOOPBACK,
        "--port": server.config.superlink_port,
        "--database": server.superlink / "state.db",
        "--isolation": "process",
        "--superexec-auth-secret-file": server.secret_file,
        "--log-file": server.logs / "superlink.log",
        "--log-rotation-interval-hours": 24,
        "--log-rotation-backup-count": 7,
    }
    options = [str(word) for pair in flags.items() for word in pair]
    switches = ["--enable-supernode-auth", "--disable-runtime-dependency-installation"]
    port = server.config.superlink_port
    return Part(
        name="superlink",
        command=(sys.executable, "-P", "-c", _RUN_SUPERLINK, *switches, *options),
        environment=_QUIET | {"FLWR_HOME": str(server.superlink)},
        server=server,
        address=(LOOPBACK, port),
        answers=lambda: ask(server, LOOPBACK, port, "/health") == 200,
    )


def proxy_part(server: ServerFolder) -> Part:
    """Return the reverse proxy.

    Raises:
        InputError: if nginx is not installed.
    """
    return Part(
        name="proxy",
        command=tuple(proxy_command(server)),
        environment={},
        server=server,
        address=(server.config.listen, server.config.port),
        answers=lambda: proxy_answers(server),
    )


def proxy_answers(server: ServerFolder) -> bool:
    """Return whether the proxy is there and refuses what it must."""
    listen = server.config.listen
    return ask(server, _ANYWHERE.get(listen, listen), server.config.port, "/") == 403


def ask(server: ServerFolder, host: str, port: int, path: str) -> int | None:
    """Return the HTTP status of a path over TLS, or None if nobody with our certificate answers."""
    try:
        context = ssl.create_default_context(cafile=str(server.authority))
        context.check_hostname = False  # the address that is listened on need not be in it
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None
