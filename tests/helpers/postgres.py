"""A real PostgreSQL server for tests: a folder of its own, passwords, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from services import find_program, need

ADMIN, ADMIN_PASSWORD = "keeper", "keeper's-own-secret"
READER, READER_PASSWORD = "reader_of_clinic", "correct-horse-battery"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "20",
    "lc_messages": "C",
}


@dataclass(kw_only=True)
class Postgres:
    """A running server with a database ``clinic`` that ``READER`` may only read."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://127.0.0.1:{self.port}/clinic"

    def connect(self, database: str = "clinic") -> psycopg.Connection[Any]:
        """Log in as the administrator."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=ADMIN_PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def break_off(self) -> None:
        """Shut down at once, whatever is being read."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=20)

    def come_back(self) -> None:
        """Start again on the same port, with the same tables."""
        self.process = _start(self.folder, self.port)
        _wait_until_ready(self)

    def backends(self) -> list[int]:
        """Process numbers of the connections that read data."""
        with self.connect() as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'fedsynth'"
            )
            return [row[0] for row in found]


def _as_server() -> dict[str, Any]:
    """A server refuses to run as root, so it runs as the user that Debian made for it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_cluster(folder: Path) -> None:
    password = folder / "password"
    password.write_text(ADMIN_PASSWORD)
    if user := _as_server():
        for path in (folder, password):
            os.chown(path, user["user"], user["group"])
    words = ["-D", str(folder / "data"), "-U", ADMIN, "-A", "scram-sha-256", "--no-sync"]
    words += [f"--pwfile={password}", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    initdb = str(find_program("initdb"))
    subprocess.run([initdb, *words], check=True, capture_output=True, cwd=folder, **_as_server())


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    words = [str(find_program("postgres")), "-D", str(folder / "data"), "-p", str(port)]
    for name, value in (SETTINGS | {"unix_socket_directories": str(folder)}).items():
        words += ["-c", f"{name}={value}"]
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, cwd=folder, **_as_server())


def _wait_until_ready(server: Postgres) -> None:
    for _ in range(200):
        try:
            server.connect("postgres").close()
            return
        except psycopg.OperationalError:
            assert server.process.poll() is None, (server.folder / "server.log").read_text()
            time.sleep(0.05)
    raise AssertionError("the server did not come up in 10 seconds")


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server on a free loopback port, and stop it by its process number."""
    need("postgresql")
    folder = Path(tempfile.mkdtemp(prefix="fedsynth-pg-", dir="/tmp"))  # its user must reach it
    port = _free_port()
    try:
        _make_cluster(folder)
        server = Postgres(folder=folder, port=port, process=_start(folder, port))
        try:
            _wait_until_ready(server)
            with server.connect("postgres") as connection:
                connection.execute("CREATE DATABASE clinic")
                connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}'")
            yield server
        finally:
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGQUIT)  # at once, without saving anything
            server.process.wait(timeout=20)
    finally:
        shutil.rmtree(folder)
