"""Disks that are soon full: a tmpfs over a folder, where mounting is allowed."""

from __future__ import annotations

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

    def grow(self, size: str) -> None:
        """Make room."""
        _run("mount", "-o", f"remount,size={size}", str(self.folder))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a small disk over a folder; skip the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(folder))
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        sentence = f"needs the right to mount a tmpfs ({error})"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{sentence} ({REQUIRED} is set)")
        pytest.skip(sentence)
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", "-l", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
