"""How a coordinator is doing: its processes, its sites, its last study."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from privacy import PublicKey
from server.deploy.certificates import last_day
from server.deploy.control import NotRunning, open_control
from server.deploy.folder import LOOPBACK, ServerFolder
from server.deploy.link import study_process
from server.deploy.parts import ask, proxy_answers
from server.deploy.process_records import PidFile
from server.deploy.registry import load_registry
from server.deploy.study_state import StudyState, read_study


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """What there is to say; no secret.

    Attributes:
        superlink: whether it answers.
        proxy: the same.
        supervised: whether a process watches over both.
        certificate_until: last moment at which the server certificate is valid.
        admitted: sites that may take part.
        online: those of them that are connected.
        revoked: sites that may not any more.
        last_study: how far the one is whose events were written last.
        public_key: of the coordinator, which signs releases.
    """

    superlink: bool
    proxy: bool
    supervised: bool
    certificate_until: datetime
    admitted: tuple[str, ...]
    online: tuple[str, ...]
    revoked: tuple[str, ...]
    last_study: StudyState | None
    public_key: PublicKey


def read_status(server: ServerFolder) -> ServerStatus:
    """Ask both processes and read the folder.

    Raises:
        InputError: if the folder's files cannot be used.
    """
    registry = load_registry(server)
    config = server.config
    return ServerStatus(
        superlink=ask(server, LOOPBACK, config.superlink_port, "/health") == 200,
        proxy=proxy_answers(server),
        supervised=PidFile(server.run / "supervisor.pid").running() is not None,
        certificate_until=last_day(server.certificate.read_bytes()),
        admitted=tuple(site.name for site in registry.active),
        online=online_sites(server),
        revoked=tuple(site.name for site in registry.sites if site.revoked),
        last_study=_last_study(server),
        public_key=server.load_signing_key().public,
    )


def online_sites(server: ServerFolder) -> tuple[str, ...]:
    """Return the names of admitted sites that are connected; none if the SuperLink is down."""
    try:
        with open_control(server) as control:
            there = {node.node_key for node in control.nodes() if node.online}
    except NotRunning:
        return ()
    return tuple(s.name for s in load_registry(server).active if s.node_key in there)


def _last_study(server: ServerFolder) -> StudyState | None:
    files = sorted(server.studies.glob("*/events.jsonl"), key=lambda file: file.stat().st_mtime)
    if not files:
        return None
    return read_study(files[-1], running=study_process(server).running() is not None)
