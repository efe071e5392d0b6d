"""The reverse proxy: nginx with a configuration of ours that lets sites in and nobody else."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path
from string import Template

from server.deploy.folder import ServerFolder
from synthesis import InputError
from synthesis.durable_file import replace_file

_PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx")  # not on every user's PATH


def render_nginx(server: ServerFolder) -> str:
    """Return the content of ``nginx.conf``.

    Raises:
        InputError: if the folder's path holds what nginx could take for its own syntax.
    """
    odd = set(str(server.path)) & set(" \t\n\"'\\;{}$#")
    if odd:
        raise InputError(
            f"server folder must have a path without spaces, quotes and {{}};$#\\, got "
            f"{str(server.path)!r}; move it.",
            argument="server",
        )
    template = resources.files("server.deploy").joinpath("nginx.conf.template")
    config = server.config
    listen = f"[{config.listen}]" if ":" in config.listen else config.listen
    return Template(template.read_text(encoding="utf-8")).substitute(
        conf=server.nginx_file,
        run=server.run,
        logs=server.logs,
        port=config.port,
        listen=listen,
        superlink_port=config.superlink_port,
        certificate=server.certificate,
        certificate_key=server.certificate_key,
        authority=server.authority,
    )


def write_nginx(server: ServerFolder) -> None:
    """Write ``nginx.conf`` and make the folders it names."""
    for folder in (server.nginx_file.parent, server.run, server.run / "nginx", server.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    replace_file(server.nginx_file, render_nginx(server).encode())


def find_nginx() -> str:
    """Return the path of nginx.

    Raises:
        InputError: if it is not installed.
    """
    found = shutil.which("nginx") or next((p for p in _PLACES if os.access(p, os.X_OK)), None)
    if found is None:
        raise InputError(
            "nginx must be installed, for the SuperLink may not be reached by sites directly; on "
            "Debian and Ubuntu: apt-get install nginx-light.",
            argument="nginx",
        )
    return found


def proxy_command(server: ServerFolder) -> list[str]:
    """Return the command that runs the proxy in the foreground."""
    command = [find_nginx(), "-e", str(server.logs / "proxy-error.log"), "-c"]
    command.append(str(server.nginx_file))
    if os.geteuid() == 0:  # else its workers could not enter the folder
        command += ["-g", f"user {_owner(server.path)};"]
    return command


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return "root"
