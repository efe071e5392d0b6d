"""Files that hold a secret: their owner may read them, nobody else."""

import os
import stat
from pathlib import Path

__all__ = ["check_secret", "read_secret", "write_secret"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_secret(path: str | Path) -> None:
    """Raise ValueError unless a file is there and nobody but its owner may do anything with it."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as error:
        raise ValueError(f"key file {path} cannot be read: {error.strerror}") from None
    if mode & _OTHERS:
        raise ValueError(
            f"key file {path} must be closed to others (mode 0600), and its mode is "
            f"{mode:04o}; close it with 'chmod 600' and ask who may have read it"
        )


def read_secret(path: str | Path) -> bytes:
    """Return the content of a file that only its owner may read.

    Raises:
        ValueError: if there is no file, it cannot be read, or others may read or write it.
    """
    check_secret(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"key file {path} cannot be read: {error.strerror}") from None


def write_secret(path: str | Path, content: bytes) -> None:
    """Write a new file that only its owner may read, and see it onto the disk.

    Raises:
        ValueError: if the path exists; a key is never overwritten.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ValueError(f"key file {path} exists, and a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
