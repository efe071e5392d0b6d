"""The bundle that Flower wants with every run, and that nobody runs.

Sites and coordinator run the package they have installed. Flower's protocol names every run by a
bundle of code all the same, so there is one that holds no code that matters. Its bytes depend on
the version of the package alone, so a site can tell by its hash which version asks.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from importlib.metadata import version

_PROJECT = """\
[project]
name = "fedsynth-study"
version = "{version}"
description = "Names a study of fedsynth. The installed package runs, not this bundle."
license = "Apache-2.0"

[tool.flwr.app]
publisher = "fedsynth"

[tool.flwr.app.components]
serverapp = "fedsynth_study.nothing:server"
clientapp = "fedsynth_study.nothing:client"

[tool.flwr.app.config]
"""
_MODULE = '''\
"""The installed package runs, not this bundle: whoever loads it gets apps that do nothing."""

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

server = ServerApp()
client = ClientApp()
'''
_OLDEST = (1980, 1, 1, 0, 0, 0)  # of any date a zip file can hold


def build_bundle() -> bytes:
    """Return the bundle of the installed version: a zip file without compression or dates."""
    files = {
        "fedsynth_study/__init__.py": "",
        "fedsynth_study/nothing.py": _MODULE,
        "pyproject.toml": _PROJECT.format(version=version("fedsynth")),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=_OLDEST)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, text.encode("ascii"))
    return buffer.getvalue()


def bundle_hash() -> str:
    """Return the SHA-256 of the bundle, as sites list it."""
    return hashlib.sha256(build_bundle()).hexdigest()
