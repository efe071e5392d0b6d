"""A file system of its own over a folder, so small that it is soon full or a test can fill it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from services import REQUIRED


@dataclass(frozen=True)
class SmallDisk:
    """A folder with little room."""

    folder: Path

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
        """Take away what ``fill`` put there."""
        self._ballast.unlink(missing_ok=True)

    def grow(self, size: str) -> None:
        """Give more room than there was."""
        _run("mount", "-o", f"remount,size={size}", str(self.folder))

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a small disk over a folder; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "fedsynth-test", str(folder))
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        sentence = f"needs the right to mount a disk of its own: run as root ({error})"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{sentence} ({REQUIRED} is set)")
        pytest.skip(sentence)
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
