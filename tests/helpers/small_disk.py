"""A file system of its own below a folder, so small that a test can fill it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from services import REQUIRED


class SmallDisk:
    """A folder on a disk of its own.

    Args:
        folder: where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        size = 1 << 20
        with self._ballast.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    size //= 2

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int = 4) -> Iterator[SmallDisk]:
    """Mount a disk at a new folder; skip the test where that is not allowed."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "fedsynth-test"]
    tried = subprocess.run([*words, str(folder)], capture_output=True, check=False)
    if tried.returncode != 0:
        sentence = "needs the right to mount a disk of its own: run as root"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{sentence} ({REQUIRED} is set)")
        pytest.skip(sentence)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
