"""What tests need besides Python: skip with a sentence, or fail where nothing may be missing."""

from __future__ import annotations

import os
import shutil

import pytest

# Debian package -> a program in it, and where it is when it is not on the path.
_PROGRAMS = {
    "nginx": ("nginx", "/usr/sbin:/usr/local/sbin"),
    "postgresql": ("pg_ctl", ""),
    "iproute2": ("ip", "/usr/sbin:/sbin"),
}


def need(*packages: str) -> None:
    """Skip the test unless these Debian packages are installed; fail it where they must be."""
    missing = [package for package in packages if not _is_there(package)]
    if not missing:
        return
    sentence = f"needs {' and '.join(missing)}: apt-get install {' '.join(missing)}"
    if os.environ.get("FEDSYNTH_REQUIRE_SERVICES") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


def _is_there(package: str) -> bool:
    program, places = _PROGRAMS[package]
    path = os.pathsep.join([os.environ.get("PATH", ""), places])
    if package == "postgresql" and os.path.isdir("/usr/lib/postgresql"):
        return True
    return shutil.which(program, path=path) is not None
