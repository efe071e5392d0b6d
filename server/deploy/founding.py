"""A new coordinator: its folder, its keys and its files, made once; and its certificate renewed."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from privacy import SigningKey
from privacy.secret_files import read_secret, write_secret
from server.deploy.certificates import Issued, last_day, make_authority, make_server_certificate
from server.deploy.folder import SERVER_FILE, ServerConfig, ServerFolder, load_server
from server.deploy.proxy import render_nginx, write_nginx
from server.deploy.server_file import NO_SITES, render_handout, render_server_file
from synthesis import InputError
from synthesis.durable_file import replace_file

_FOLDERS = ("ca", "tls", "keys", "nginx", "superlink", "studies", "releases", "logs", "run")


def found_server(folder: str | Path, config: ServerConfig) -> ServerFolder:
    """Make the folder of a coordinator.

    Raises:
        InputError: if the folder holds something, or its path cannot be used; nothing is written.
    """
    path = Path(folder).resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(
            f"server folder must be new or empty, and {path} is not; name another one.",
            argument="server",
        )
    server = ServerFolder(path=path, config=config)
    render_nginx(server)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    for name in _FOLDERS:
        (path / name).mkdir(mode=0o700)
    _make_keys(server)
    write_secret(path / SERVER_FILE, render_server_file(config).encode())
    write_secret(server.handout, render_handout(server).encode())
    write_secret(server.sites_file, NO_SITES.encode())
    write_nginx(server)
    return load_server(path)


def renew_certificate(server: ServerFolder) -> datetime:
    """Replace the server certificate and its key; the authority stays, so sites notice nothing.

    Returns:
        Until when the new one is valid.

    Raises:
        InputError: if the authority's files cannot be read.
    """
    try:
        authority = Issued(
            certificate=server.authority.read_bytes(), key=read_secret(server.authority_key)
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"the authority in {server.authority.parent} cannot be read ({error}); restore it "
            "from a backup.",
            argument="server",
        ) from None
    issued = _issue(server, authority)
    replace_file(server.certificate_key, issued.key)
    replace_file(server.certificate, issued.certificate)
    return last_day(issued.certificate)


def refresh_handout(server: ServerFolder) -> bool:
    """Write ``coordinator.toml`` anew if version or settings have changed; return whether."""
    content = render_handout(server).encode()
    if server.handout.is_file() and server.handout.read_bytes() == content:
        return False
    replace_file(server.handout, content)
    return True


def _make_keys(server: ServerFolder) -> None:
    authority = make_authority(server.config.name)
    issued = _issue(server, authority)
    write_secret(server.authority_key, authority.key)
    write_secret(server.authority, authority.certificate)
    write_secret(server.certificate_key, issued.key)
    write_secret(server.certificate, issued.certificate)
    SigningKey.generate().save(server.signing_key_file)
    write_secret(server.secret_file, secrets.token_hex(32).encode())


def _issue(server: ServerFolder, authority: Issued) -> Issued:
    config = server.config
    return make_server_certificate(authority, [config.host, *config.addresses], days=config.days)
