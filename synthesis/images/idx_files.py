"""Images and labels in two IDX files, as MNIST and its kin are published; grey only.

A file is four bytes (two zeros, 8 for unsigned bytes, the number of sides), each side as four bytes
with the highest first, and then the bytes (Y. LeCun, "The MNIST database").
"""

from __future__ import annotations

import gzip
import math
import zlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.file_errors import cannot_read, damaged
from synthesis.images.rows import ImageReading, check_declared, check_shapes, read_arrays
from synthesis.images.schema import ImageSchema

_BLOCK = 2**20


def is_idx(path: Path, sides: int) -> bool:
    """Tell by its name whether a file holds arrays of so many sides: 3 images, 1 labels."""
    word = "images" if sides == 3 else "labels"
    return fnmatchcase(path.name.removesuffix(".gz"), f"*{word}*idx{sides}-ubyte")


def choose_idx_images(folder: Path, images: list[Path]) -> Path:
    """Return the file of images in a folder of IDX files.

    Raises:
        InputError: if there is none or more than one.
    """
    if len(images) != 1:
        names = ", ".join(path.name for path in images) or "none"
        raise InputError(
            f"data folder {folder} must hold one file of images, *images*idx3-ubyte or .gz, and "
            f"holds {names}; name the file of images itself instead of the folder",
            argument="data",
        )
    return images[0]


def read_idx(path: Path, schema: ImageSchema) -> ImageReading:
    """Read a file of images and the labels beside it, whose name says labels and idx1 instead.

    An image whose label is no class is left out.

    Raises:
        InputError: if a file is absent, damaged or may not be read, or does not fit the schema.
        SourceUnavailable: if the system fails to hand over what was there.
    """
    if schema.channels != 1:
        raise InputError(
            f"data file {path} holds grey images, for IDX knows no colour, and the schema declares "
            f"channels = {schema.channels}; declare 1, or give a folder of PNG files or an .npz",
            argument="data",
        )
    images = _read_file(path, 3)
    labels = _read_file(_labels_beside(path), 1)
    check_shapes(path, schema, images.shape, labels.shape)
    return read_arrays(images, labels, schema)


def _labels_beside(images: Path) -> Path:
    bare = images.name.removesuffix(".gz")
    first, _, last = bare.rpartition("images")
    bare = f"{first}labels{last.replace('idx3', 'idx1')}"
    names = [bare, f"{bare}.gz"]
    if images.name.endswith(".gz"):
        names.reverse()
    found = [images.with_name(name) for name in names if images.with_name(name).is_file()]
    if not found:
        raise InputError(
            f"the labels of data file {images} must lie beside it and be called {names[0]}, and "
            "there is no such file; copy or rename it",
            argument="data",
        )
    return found[0]


def _read_file(path: Path, sides: int) -> NDArray[np.uint8]:
    kind = f"an IDX file of {'images' if sides == 3 else 'labels'}"
    try:
        with _open(path) as file:
            magic = file.read(4)
            if len(magic) == 4 and magic != bytes([0, 0, 8, sides]):
                raise InputError(
                    f"data file {path} must begin with the number {2048 + sides} of {kind}, got "
                    f"{int.from_bytes(magic, 'big')}; check that images and labels are not mixed "
                    "up, and that a compressed file is called .gz",
                    argument="data",
                )
            lengths = file.read(4 * sides)
            if len(magic + lengths) < 4 + 4 * sides:
                raise damaged(path, kind)
            shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
            check_declared(path, shape)
            content = np.empty(math.prod(shape), dtype=np.uint8)
            if not _fill(file, content):
                raise damaged(path, kind)
            return content.reshape(shape)
    except (EOFError, zlib.error):
        raise damaged(path, kind) from None
    except OSError as error:
        raise cannot_read(path, kind, error) from None


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.endswith(".gz") else path.open("rb")


def _fill(file: IO[bytes], room: NDArray[np.uint8]) -> bool:
    """Read block by block, and tell whether there were just as many bytes as room."""
    filled = 0
    while block := file.read(min(_BLOCK, len(room) - filled)):
        room[filled : filled + len(block)] = np.frombuffer(block, dtype=np.uint8)
        filled += len(block)
    return filled == len(room) and not file.read(1)
