"""One node per site: whoever holds the lock of the folder answers for it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthesis.errors import InputError

LOCK_FILE = "state/node.lock"


@contextmanager
def hold_site(folder: Path) -> Iterator[None]:
    """Hold the lock of a site's folder; the system lets go of it when the process ends.

    Raises:
        InputError: if another process holds it.
    """
    path = folder / LOCK_FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"site {folder} has joined a study in another process; see 'fedsynth site status "
                f"--site {folder}', and stop that one first.",
                argument="site",
            ) from None
        yield
    finally:
        os.close(descriptor)
