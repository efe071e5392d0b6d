"""Programs of the system that some tests need, and what to install when they are absent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "FEDSYNTH_REQUIRE_SERVICES"
PROGRAMS = {
    "postgresql": "postgres",
    "nginx": "nginx",
    "iproute2": "ip",
    "faketime": "faketime",
    "chromium": "chromium",
}
_PLACES = ("/usr/sbin", "/sbin", "/usr/local/sbin")


def find_program(name: str) -> str | None:
    """Return the path of a program, also where only administrators' shells look."""
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders = [os.environ.get("PATH", ""), *_PLACES, *map(str, newest_first)]
    return shutil.which(name, path=os.pathsep.join(folders))


def need(*packages: str) -> None:
    """Skip the test unless these Debian packages are installed; fail it where they must be."""
    absent = [name for name in packages if find_program(PROGRAMS[name]) is None]
    if not absent:
        return
    sentence = f"needs {' and '.join(absent)}: apt-get install {' '.join(absent)}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{sentence} ({REQUIRED} is set)")
    pytest.skip(sentence)
