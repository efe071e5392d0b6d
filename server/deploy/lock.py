"""A lock between processes, held by a file that is closed to others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock that a file stands for; the system lets go of it when the process ends.

    Args:
        file: made if need be, with its folder.
        wait: whether to wait for another process.

    Raises:
        BlockingIOError: if another process holds it and ``wait`` is False.
    """
    file.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
