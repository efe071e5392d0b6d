"""``fedsynth server admit``, ``revoke`` and ``sites``: who may take part."""

from __future__ import annotations

import sys
from pathlib import Path

from fedsynth.console import add_row, make_table, say, screen
from server.deploy.admitting import admit, revoke
from server.deploy.folder import load_server
from server.deploy.registry import AdmittedSite, load_registry, parse_admission, read_admission
from server.deploy.status import online_sites

_STDIN = Path("-")


def admit_site(folder: Path, file: Path) -> None:
    """Let a site in and say what to compare over the telephone.

    Raises:
        InputError: if the file cannot be used, or the site is known already.
    """
    server = load_server(folder)
    admission = parse_admission(sys.stdin.read()) if file == _STDIN else read_admission(file)
    site = admit(server, admission)
    say(screen, f"Site {site.name} is admitted.")
    say(screen, f"Fingerprint: {site.fingerprint}")
    if site.node_id is None:
        say(screen, "The coordinator does not run; the site can connect once it is started.")
    say(
        screen,
        "Ask the site to read its fingerprint out over the telephone. If it differs: fedsynth "
        f"server revoke '{site.name}' --server {server.path}",
    )


def revoke_site(folder: Path, name: str) -> None:
    """Shut a site out and say whether that holds already.

    Raises:
        InputError: if there is no such site.
    """
    done = revoke(load_server(folder), name)
    when = "now" if done else "from the next start on; the coordinator does not run"
    say(screen, f"Site {name} is shut out, {when}. To come back it needs new keys and a new name.")


def list_sites(folder: Path) -> None:
    """List all sites that were ever admitted.

    Raises:
        InputError: if the registry cannot be used.
    """
    server = load_server(folder)
    registry = load_registry(server)
    if not registry.sites:
        say(screen, "No site is admitted yet: fedsynth server admit admission.toml")
        return
    online = online_sites(server)
    table = make_table("Sites", ["name", "state", "admitted", "fingerprint"], [])
    for site in registry.sites:
        state = _state(site, online)
        add_row(table, [site.name, state, f"{site.admitted:%Y-%m-%d}", site.fingerprint])
    screen.print(table)


def _state(site: AdmittedSite, online: tuple[str, ...]) -> str:
    if site.revoked is not None:
        return f"revoked {site.revoked:%Y-%m-%d}"
    return "online" if site.name in online else "away"
