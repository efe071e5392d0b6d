"""``fedsynth server init`` and ``certificate``: the folder, and what its people do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fedsynth.console import add_row, make_table, say, screen
from privacy.keys import fingerprint_of
from server.deploy.folder import SERVER_FILE, ServerFolder, load_server, parse_server_config
from server.deploy.founding import found_server, renew_certificate


def init_server(folder: Path, settings: dict[str, Any]) -> None:
    """Found a coordinator and say where things are and what to do next.

    Raises:
        InputError: if something given cannot be used; nothing is written.
    """
    server = found_server(folder, parse_server_config(settings, where="the options"))
    _show_places(server)
    _show_next(server)


def renew(folder: Path) -> None:
    """Renew the server certificate and say until when it is valid.

    Raises:
        InputError: if the folder or its authority cannot be read.
    """
    until = renew_certificate(load_server(folder))
    say(
        screen,
        f"The server certificate is new and valid until {until:%Y-%m-%d}. Sites need nothing new; "
        "stop and start the coordinator so that it is used.",
    )


def _show_places(server: ServerFolder) -> None:
    table = make_table(f"Coordinator {server.config.name}", ["what", "where"], [])
    places = {
        "its settings": server.path / SERVER_FILE,
        "the file for sites": server.handout,
        "who may take part": server.sites_file,
        "its signing key": server.signing_key_file,
        "its own authority": server.authority_key,
        "the proxy's settings": server.nginx_file,
    }
    for what, where in places.items():
        add_row(table, [what, str(where)])
    screen.print(table)


def _show_next(server: ServerFolder) -> None:
    fingerprint = fingerprint_of(server.handout.read_bytes())
    say(screen, f"Fingerprint of {server.handout.name}: {fingerprint}")
    say(screen, "")
    say(screen, "What to do next:")
    where = f"--server {server.path}"
    steps = [
        f"Keep a backup of {server.authority.parent} and {server.signing_key_file.parent}: without "
        "them every site would have to be admitted anew.",
        f"Open port {server.config.port} to the sites, and no other port: {server.config.address} "
        "is all they need.",
        f"Start it: fedsynth server start {where}",
        f"Give {server.handout} to every site, and compare the fingerprint over the telephone.",
        "Let each site in with the admission.toml that it sends you: fedsynth server admit "
        f"admission.toml {where}",
        f"Renew the certificate within {server.config.days} days: fedsynth server certificate "
        f"{where}",
    ]
    for number, step in enumerate(steps, start=1):
        say(screen, f"{number}. {step}")
