"""The text of the files that ``fedsynth server init`` writes for people to read."""

from __future__ import annotations

import tomli_w

from server.deploy.bundle import bundle_hash
from server.deploy.folder import ServerConfig, ServerFolder

NO_SITES = """\
# Who may take part: written by 'fedsynth server admit' and 'fedsynth server revoke'.
"""
_HEAD = """\
# This folder is a coordinator of fedsynth. Keep ca/ and keys/ in a backup of their own: without
# them every site would have to be admitted anew.
"""
_HANDOUT_HEAD = """\
# Give this file to every site; it holds no secret. The site puts it into its folder.
# Read the fingerprint of the public key out over the telephone.
"""
_COMMENTS = {
    "name": "how the coordinator calls itself",
    "host": "name or address under which sites reach it",
    "addresses": "further names and addresses in its certificate; after a change: "
    "fedsynth server certificate",
    "port": "where sites reach it",
    "listen": "address of this machine on which the proxy listens; 0.0.0.0 is all of them",
    "superlink_port": "where the SuperLink listens, on the loopback interface only",
    "days": "how long a server certificate is valid",
}


def render_server_file(config: ServerConfig) -> str:
    """Return the content of ``server.toml``."""
    settings = config.model_dump(mode="json")
    return _HEAD + "".join(
        f"# {_COMMENTS[name]}\n{tomli_w.dumps({name: value})}" for name, value in settings.items()
    )


def render_handout(server: ServerFolder) -> str:
    """Return the content of ``coordinator.toml``, which sites get."""
    content = {
        "address": server.config.address,
        "bundles": [bundle_hash()],
        "public_key": server.load_signing_key().public.hex,
        "certificate": server.authority.read_text(encoding="ascii"),
    }
    return _HANDOUT_HEAD + tomli_w.dumps(content, multiline_strings=True)
