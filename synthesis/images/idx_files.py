"""Images and labels in IDX files, as MNIST and its kin come, plain or packed by gzip."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.npz_file import MOST_BYTES

_IMAGES: Final = "images-idx3-ubyte"
_LABELS: Final = "labels-idx1-ubyte"


def find_idx_pair(path: Path) -> tuple[Path, Path] | None:
    """Return the file of images and that of their labels; None where there are none.

    Raises:
        InputError: if a folder holds several pairs, or the labels are missing.
    """
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if _IMAGES in each.name)
        if len(found) > 1:
            names = ", ".join(each.name for each in found)
            raise InputError(
                f"data must name one file of images where a folder holds several ({names}).",
                argument="data",
            )
        if not found:
            return None
        path = found[0]
    elif _IMAGES not in path.name:
        return None
    labels = path.with_name(path.name.replace(_IMAGES, _LABELS))
    if not labels.is_file():
        raise InputError(
            f"the labels of {path.name} must lie beside it as {labels.name}, and they do not.",
            argument="data",
        )
    return path, labels


def read_idx_pair(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the arrays of two files.

    Raises:
        InputError: if one cannot be read or is no IDX file of bytes.
    """
    return _read(images, dimensions=3), _read(labels, dimensions=1)


def _read(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    try:
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            head = file.read(4 + 4 * dimensions)
            if head[:4] != bytes((0, 0, 8, dimensions)) or len(head) < 4 + 4 * dimensions:
                raise InputError(
                    f"{path.name} must be an IDX file of bytes in {dimensions} dimensions, and its "
                    "first bytes say otherwise; get it again.",
                    argument="data",
                )
            shape = struct.unpack(f">{dimensions}I", head[4:])
            size = math.prod(shape)
            if size > MOST_BYTES:
                raise InputError(
                    f"{path.name} must hold at most {MOST_BYTES >> 30} GiB, and it says that it "
                    f"holds {size / 2**30:.1f} GiB.",
                    argument="data",
                )
            content = file.read(size + 1)
    except PermissionError:
        raise InputError(
            f"{path.name} may not be read; check its permissions.", argument="data"
        ) from None
    except (OSError, EOFError, zlib.error):
        raise InputError(
            f"{path.name} is damaged or cut short and cannot be unpacked; get it again.",
            argument="data",
        ) from None
    if len(content) != size:
        raise InputError(
            f"{path.name} must be as long as its first bytes say, and it is "
            f"{'shorter' if len(content) < size else 'longer'}; get it again.",
            argument="data",
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
