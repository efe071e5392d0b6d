"""What to say when a file of images, or a folder of them, cannot be read as a whole."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from synthesis.errors import InputError, SourceUnavailable

_OF_ONE_FILE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENOTDIR)


def is_of_one_file(path: Path, error: OSError) -> bool:
    """Tell whether a listed file is itself the reason that it cannot be read, and not the disk.

    A link may point to nothing; what else is no longer there has gone with a disk or just now.
    """
    return error.errno in _OF_ONE_FILE or (error.errno == errno.ENOENT and path.is_symlink())


def is_folder(path: Path) -> bool:
    """Tell whether what was listed is a folder, or a link to one that can be followed.

    Raises:
        SourceUnavailable: if the disk that holds it fails.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        if is_of_one_file(path, error):
            return False
        raise unavailable(error) from None


def damaged(path: Path, kind: str) -> InputError:
    """Return the error for a file that is not what its name says, or is cut short."""
    return InputError(
        f"data file {path} is not {kind}, or is damaged or cut short; copy or export it again",
        argument="data",
    )


def cannot_read(path: Path, kind: str, error: OSError) -> InputError | SourceUnavailable:
    """Return the error to raise when a decoder, which gives no number, or the system gives up.

    A damaged archive may point to a place before its beginning: an invalid argument.
    """
    if error.errno in (None, errno.EINVAL):
        return damaged(path, kind)
    return cannot_open(path, error)


def cannot_open(path: Path, error: OSError) -> InputError | SourceUnavailable:
    """Return the error to raise when the system hands over no file or folder, and says why."""
    if isinstance(error, PermissionError):
        return InputError(
            f"{path} must be readable by the user this runs as; change its mode or owner",
            argument="data",
        )
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"data {path} does not exist; check the path and the spelling", argument="data"
        )
    return unavailable(error)


def unavailable(error: OSError) -> SourceUnavailable:
    """Return the error to raise when what was there a moment ago cannot be read."""
    return SourceUnavailable(
        f"the data could not be read to the end, the system says {error.strerror!r}; try again "
        "when the disk or share that holds them is back"
    )
