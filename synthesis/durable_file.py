"""A file that is there as a whole or as it was before, through a kill, a full disk and a power cut.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp()) / "note"
>>> replace_file(path, b"first")
>>> replace_file(path, b"second")
>>> path.read_bytes()
b'second'
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, readable by its owner only, and see it onto the disk.

    Raises:
        OSError: if it cannot be written; the file is then as it was.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with _replacing(path, draft) as file:
        draft.chmod(0o600)
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a hidden file beside ``path`` that takes its place, and is on the disk, at the end.

    It has the rights of any new file. When something fails, ``path`` is as it was.

    Raises:
        OSError: if it cannot be written; the error names ``path``.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with _replacing(path, draft) as file:
            yield file
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(draft)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _replacing(path: Path, draft: Path) -> Iterator[BinaryIO]:
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave an empty file behind
        os.replace(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """See the name of a new file onto the disk, where the system allows it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems do not do this for folders
    finally:
        os.close(descriptor)
