"""Images and labels in a NumPy archive, whose headers are read before anything is allocated."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.file_errors import cannot_read, damaged
from synthesis.images.rows import ImageReading, check_declared, check_shapes, read_arrays
from synthesis.images.schema import ImageSchema

_IMAGES = ("images", "image", "x", "X")
_LABELS = ("labels", "label", "y")
_KIND = "a NumPy archive (.npz)"
_BROKEN_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # the last: encrypted
_BROKEN_HEADER = (ValueError, SyntaxError, tokenize.TokenError, MemoryError)  # read as Python's


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What an archive declares of one array before its data."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npz(path: Path, schema: ImageSchema) -> ImageReading:
    """Read images ``(n, height, width)``, with 3 channels behind it or flat if grey, and labels.

    Other arrays of the archive are not read. An image whose label is no class is left out.

    Raises:
        InputError: if the file is damaged, may not be read, lacks the arrays, or they have another
            type or shape than the schema asks for.
        SourceUnavailable: if the system fails to hand over what was there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            images = _read_header(archive, path, _IMAGES)
            labels = _read_header(archive, path, _LABELS)
            _check_types(path, images, labels)
            check_shapes(path, schema, images.shape, labels.shape)
            return read_arrays(_read(archive, images), _read(archive, labels), schema)
    except InputError:
        raise
    except (*_BROKEN_ARCHIVE, *_BROKEN_HEADER):
        raise damaged(path, _KIND) from None
    except OSError as error:
        raise cannot_read(path, _KIND, error) from None


def _read_header(archive: zipfile.ZipFile, path: Path, accepted: tuple[str, ...]) -> _Header:
    members = [f"{name}.npy" for name in accepted if f"{name}.npy" in archive.namelist()]
    if len(members) != 1:
        raise InputError(
            f"data file {path} must hold one array of images, called {', '.join(_IMAGES)}, and one "
            f"of labels, called {', '.join(_LABELS)}, and holds {len(members)} called "
            f"{', '.join(accepted)}; save it again with numpy.savez(file, images=..., labels=...)",
            argument="data",
        )
    info = archive.getinfo(members[0])
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise damaged(path, _KIND)
    with archive.open(info) as file:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = npy.read_magic(file)
        if version not in read:
            raise damaged(path, _KIND)
        shape, _, dtype = read[version](file)
    check_declared(path, shape, dtype.itemsize)
    is_long_enough = dtype.hasobject or math.prod(shape) * dtype.itemsize <= info.file_size
    if min(shape, default=0) < 0 or not is_long_enough:
        raise damaged(path, _KIND)
    return _Header(member=members[0], shape=shape, dtype=dtype)


def _check_types(path: Path, images: _Header, labels: _Header) -> None:
    if images.dtype != np.uint8:
        raise InputError(
            f"images in data file {path} must be whole numbers from 0 to 255 of type uint8, got "
            f"{images.dtype}; scale them to this range and save images.astype('uint8')",
            argument="data",
        )
    if labels.dtype.kind not in "iu":
        raise InputError(
            f"labels in data file {path} must be whole numbers, the places of the classes in the "
            f"schema from 0, got {labels.dtype}; save labels.astype('int64')",
            argument="data",
        )


def _read(archive: zipfile.ZipFile, header: _Header) -> NDArray[Any]:
    with archive.open(header.member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        if file.read(1):  # also where zipfile compares the checksum
            raise ValueError("more bytes than declared")
    return array
