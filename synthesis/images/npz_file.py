"""Images in an NPZ file of numpy."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError

MOST_BYTES: Final = 1 << 31
_IMAGES: Final = ("images", "image", "x", "X")
_LABELS: Final = ("labels", "label", "y", "Y")
_BROKEN: Final = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError)


def read_npz(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return images and labels as they stand in the file; nothing of it is run.

    Raises:
        InputError: if it cannot be read, lacks an array, or holds other numbers than it must.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise InputError(
                f"{path.name} must hold at most {MOST_BYTES >> 30} GiB, and it unpacks to "
                f"{size / 2**30:.1f} GiB; cut it into several sites, or leave arrays out.",
                argument="data",
            )
        with np.load(path, allow_pickle=False) as file:
            images, labels = (_find(file, names, path) for names in (_IMAGES, _LABELS))
    except InputError:
        raise
    except PermissionError:
        raise InputError(
            f"{path.name} may not be read; check its permissions.", argument="data"
        ) from None
    except _BROKEN:
        raise InputError(
            f"{path.name} must be a whole NPZ file with plain arrays, and it cannot be read: it is "
            "damaged or holds Python objects; write it again with numpy.savez.",
            argument="data",
        ) from None
    return _check_images(images, path), _check_labels(labels, path)


def _find(file: Any, names: tuple[str, ...], path: Path) -> NDArray[Any]:
    for name in names:
        if name in file:
            found: NDArray[Any] = file[name]
            return found
    raise InputError(
        f"{path.name} must hold an array {names[0]!r} (or {', '.join(names[1:])}), and it holds "
        f"{', '.join(file.files) or 'none'}.",
        argument="data",
    )


def _check_images(images: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if images.dtype.kind not in "ui":
        raise InputError(
            f"images in {path.name} must be whole numbers from 0 to 255, and they are "
            f"{images.dtype}; scale and round them.",
            argument="data",
        )
    if images.ndim not in (2, 3, 4):
        raise InputError(
            f"images in {path.name} must be an array (n, height, width) or (n, height, width, 3), "
            f"and it has {images.ndim} dimensions.",
            argument="data",
        )
    if images.dtype != np.uint8 and images.size and not (0 <= images.min() <= images.max() <= 255):
        raise InputError(
            f"images in {path.name} must be whole numbers from 0 to 255, and some are not; scale "
            "them.",
            argument="data",
        )
    return images.astype(np.uint8, copy=False)


def _check_labels(labels: NDArray[Any], path: Path) -> NDArray[np.integer]:
    if labels.dtype.kind not in "ui":
        raise InputError(
            f"labels in {path.name} must be whole numbers from 0, in the order of the schema's "
            f"classes, and they are {labels.dtype}.",
            argument="data",
        )
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
