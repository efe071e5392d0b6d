"""A whole deployment on this machine, driven by nothing but the command line.

Processes are real, TLS is on, and whatever was started is stopped by its process id.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import tomli_w
from installed import clean_environment
from services import need
from tiny_sites import SETTINGS
from tiny_world import SCHEMA, draw_table

from fedsynth.commands import app
from privacy import Ledger
from server.deploy.folder import load_server
from server.deploy.processes import Running, start_server, stop_server
from synthesis.kinds import AnySchema, dump_any_schema
from synthesis.tables import write_table

ROOT = Path(__file__).parents[2]
CHECKOUT = Path(sys.executable).parent
HOST = "localhost"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(find: Callable[[], Any], what: str, deadline_s: float = 60.0) -> Any:
    """Return the first result of ``find`` that is true."""
    end = time.monotonic() + deadline_s
    while True:
        found = find()
        if found:
            return found
        assert time.monotonic() < end, f"no {what} within {deadline_s:g} s"
        time.sleep(0.05)


class Federation:
    """A coordinator and its sites below one folder; the coordinator's is ``coordinator``.

    Args:
        folder: where everything lies, and where every command runs.
        bin_folder: of the environment whose ``fedsynth`` is used.
        schema: of all sites.
        host: name or address under which sites reach the coordinator.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bin_folder: Path = CHECKOUT,
        schema: AnySchema = SCHEMA,
        host: str = HOST,
    ) -> None:
        need("nginx")
        self.host = host
        self.folder = folder
        self.port, self.superlink_port = free_port(), free_port()
        self.server = folder / "coordinator"
        self._is_checkout = bin_folder == CHECKOUT
        self._command = [str(bin_folder / "fedsynth")]
        if self._is_checkout:  # the code of this checkout, wherever it was installed from
            self._command = [
                str(bin_folder / "python"),
                "-c",
                "from fedsynth.cli import main; main()",
            ]
        self.environment = dict(clean_environment())
        if self._is_checkout:
            self.environment["PYTHONPATH"] = str(ROOT)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._parts: Running = {}
        (folder / "schema.toml").write_text(dump_any_schema(schema), encoding="utf-8")

    def cli(self, *words: str | Path, code: int | None = 0, timeout: float = 120) -> str:
        """Run one command to its end and return what it said; ``code`` is what it must end with."""
        ended = subprocess.run(
            [*self._command, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert code is None or ended.returncode == code, f"{words} ended {ended.returncode}: {said}"
        assert "Traceback" not in said, said
        return said

    def begin(
        self,
        *words: str | Path,
        log: str,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start one command in a process group of its own; what it says goes to ``log``."""
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(
                [*prefix, *self._command, *map(str, words)],
                cwd=self.folder,
                env=self.environment | (env or {}),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def found(self) -> None:
        """Make the coordinator's folder and start its processes."""
        ports = ("--port", str(self.port), "--superlink-port", str(self.superlink_port))
        init = ("server", "init", "coordinator", "--name", "lab", "--host", self.host, *ports)
        if not self._is_checkout:
            self.cli(*init)
            self.cli("server", "start", "--server", "coordinator")
            return
        self.inside(*init)
        self._parts = start_server(load_server(self.server))  # as ``server start`` does

    def inside(self, *words: str | Path) -> None:
        """Run one command in this process, which has everything loaded, to set up quickly."""
        with chdir(self.folder):
            app([*map(str, words)], standalone_mode=False)

    def add_site(
        self,
        name: str,
        *data: str | Path,
        rows: int = 150,
        quick: bool | None = None,
        **policy: Any,
    ) -> Path:
        """Found a site, with a tiny table or the ``data`` options given, and have it admitted.

        ``quick`` does it in this process; so it is for the checkout, unless said otherwise.
        """
        run = self.inside if (self._is_checkout if quick is None else quick) else self.cli
        if not data:
            write_table(draw_table(rows, len(self.sites)), self.folder / f"{name}.parquet")
            data = ("--data", f"{name}.parquet")
        options = {"epsilon": 10, "delta": 1e-5, "holdout": 0.3} | policy
        words = [w for key, value in options.items() for w in (f"--{key}", str(value))]
        handout = self.server / "coordinator.toml"
        run(
            *("site", "init", name, "--name", name, *data, "--schema", "schema.toml"),
            *(*words, "--coordinator", handout),
        )
        run("server", "admit", f"{name}/admission.toml", "--server", "coordinator")
        return self.folder / name

    @property
    def sites(self) -> list[str]:
        return sorted(path.parent.name for path in self.folder.glob("*/site.toml"))

    def write_study(self, name: str, **changes: Any) -> Path:
        """Write a study file that ends in moments."""
        content = dict(SETTINGS) | {"name": name, "evaluation": True, "deadline_s": 90.0} | changes
        path = self.folder / f"{name}.toml"
        path.write_text(tomli_w.dumps(content), encoding="utf-8")
        return path

    def join(self, site: str, study: Path, **more: Any) -> subprocess.Popen[bytes]:
        """Let a site join; its screen goes to ``SITE.out``."""
        return self.begin("site", "join", study, "--site", site, log=f"{site}.out", **more)

    def run(self, study: Path, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start the study at the coordinator; its screen goes to ``STUDY.out``."""
        return self.begin(
            *("server", "run", study, "--schema", "schema.toml", "--server", "coordinator"),
            *words,
            log=f"{study.stem}.out",
            **more,
        )

    def said(self, log: str) -> str:
        path = self.folder / log
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def events(self, study: str) -> list[dict[str, Any]]:
        """What the coordinator wrote down of a study."""
        return _read_lines(self.server / "studies" / study / "events.jsonl")

    def site_events(self, site: str) -> list[dict[str, Any]]:
        """What a site wrote down."""
        return _read_lines(self.folder / site / "logs" / "events.jsonl")

    def questions(self, site: str, study: str) -> list[tuple[str, int]]:
        """Type and round (0 outside of rounds) of every question that a site began to answer."""
        return [
            (event["type"], event.get("server-round", 0))
            for event in self.site_events(site)
            if event["event"] == "question" and event["study"] == study
        ]

    def finished(self, study: str, phase: str) -> bool:
        """Whether the coordinator has all answers of a phase."""
        ends = [
            event["phase"] for event in self.events(study) if event["event"] == "phase-finished"
        ]
        return phase in ends

    def node_pid(self, site: str) -> int:
        """Number of the process that answers for a site."""
        return int(json.loads((self.folder / site / "state" / "node.json").read_text())["pid"])

    def ledger(self, site: str) -> Ledger:
        """A site's ledger, verified."""
        return Ledger.open(self.folder / site / "ledger.sqlite")

    def notes(self, site: str) -> list[str]:
        return [entry.note for entry in self.ledger(site).entries() if entry.note]

    def release(self, study: str) -> Path:
        return self.server / "releases" / study

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a command and everything that it started."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)

    def end(self, process: subprocess.Popen[bytes], deadline_s: float = 120.0) -> int:
        """Wait for a command's end and return its exit code."""
        return process.wait(timeout=deadline_s)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(timeout=10)
        if (self.server / "server.toml").exists():
            stop_server(load_server(self.server))
        for part in self._parts.values():
            part.wait(timeout=10)


@contextmanager
def federation(folder: Path, **settings: Any) -> Iterator[Federation]:
    """A coordinator that runs, and nothing left of it afterwards."""
    made = Federation(folder, **settings)
    try:
        made.found()
        yield made
    finally:
        made.close()


def _read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in whole if line.endswith("}")]
