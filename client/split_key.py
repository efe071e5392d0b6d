"""The key that decides which units a site trains on and which it holds out."""

from __future__ import annotations

import os
from pathlib import Path

from privacy import Randomness
from synthesis import InputError
from synthesis.units import KEY_BYTES

KEY_FILE = "split.key"


def load_split_key(folder: Path, randomness: Randomness, *, site: str) -> bytes:
    """Return the site's key; made on first use, and kept for the life of the data set.

    In a simulation it follows from the seed and the site's name. Otherwise it comes from the
    operating system and lies in a file that only its owner may read; a copy that is half written
    is never taken for a key.

    Raises:
        InputError: if the file holds something else than a key.
    """
    if randomness.is_seeded:
        return randomness.numpy(site, "split-key").bytes(KEY_BYTES)
    path = folder / KEY_FILE
    if not path.exists():
        _create(path, os.urandom(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise InputError(
            f"{KEY_FILE} must hold the {KEY_BYTES} bytes that were written there, and it does not; "
            "put the site's own copy back, for another key would mix training and hold-out.",
            argument="split_key",
        )
    return key


def _create(path: Path, key: bytes) -> None:
    """Write the key whole, or leave the one that somebody else has just written."""
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key counts
    finally:
        draft.unlink(missing_ok=True)
