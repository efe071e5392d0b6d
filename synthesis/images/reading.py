"""Images from where they lie: a folder of PNG files, an NPZ file or a pair of IDX files.

A source that is broken as a whole is refused. A single image that breaks the schema does not take
part, so that it cannot be told from its absence; ``check_images`` says on the site's own screen
what is wrong with it. Whether an image takes part depends on that image alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.idx_files import find_idx_pair, read_idx_pair
from synthesis.images.npz_file import read_npz
from synthesis.images.png_folder import BadImage, check_png_folder, read_png_folder
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes, Units

__all__ = ["BadImage", "check_images", "pack_images", "read_image_units", "save_images"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Arrays:
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_image_units(path: Path, schema: ImageSchema) -> Units:
    """Read images with their classes, each of which is one unit.

    Args:
        path: a folder with a folder of PNG files for each class; an NPZ file with arrays
            ``images`` and ``labels``; a file of images in IDX form, whose labels lie beside it, or
            a folder with one such pair.
        schema: the public description.

    Returns:
        Codes ``(n, num_pixels + 1)``: pixels plane by plane, then the number of the class.

    Raises:
        InputError: if the source as a whole cannot be read.
    """
    arrays = _read_arrays(path, schema)
    if arrays is None:
        codes = read_png_folder(path, schema)
    else:
        fits = (arrays.labels >= 0) & (arrays.labels < schema.num_classes)
        codes = _to_codes(arrays.images[fits], arrays.labels[fits])
    return Units.from_records(codes)


def check_images(path: Path, schema: ImageSchema) -> Sequence[BadImage]:
    """Return what is wrong with single images, which then do not take part.

    For the site's own screen only: these sentences name files and tell of private images.

    Raises:
        InputError: if the source as a whole cannot be read.
    """
    arrays = _read_arrays(path, schema)
    if arrays is None:
        return check_png_folder(path, schema)
    odd = np.flatnonzero((arrays.labels < 0) | (arrays.labels >= schema.num_classes))
    return [
        BadImage(
            place=f"label number {number + 1} of {path.name}",
            rule=f"must be from 0 to {schema.num_classes - 1}",
        )
        for number in odd
    ]


def save_images(path: Path, codes: Codes, schema: ImageSchema) -> None:
    """Write images and labels into an NPZ file, as ``pack_images`` does.

    Raises:
        OSError: if it cannot be written.
    """
    with path.open("wb") as file:
        pack_images(file, codes, schema)


def pack_images(file: BinaryIO, codes: Codes, schema: ImageSchema) -> None:
    """Write images and labels as NPZ; the same images always give the same bytes.

    Arrays are ``images``, ``(n, height, width)`` or with channels last, and ``labels``, both uint8.

    Raises:
        OSError: if it cannot be written.
    """
    images = codes[:, :-1].astype(np.uint8).reshape(-1, *schema.shape)
    images = images[:, 0] if schema.channels == 1 else images.transpose(0, 2, 3, 1)
    labels = codes[:, -1].astype(np.uint8)
    np.savez_compressed(file, images=np.ascontiguousarray(images), labels=labels)


def _read_arrays(path: Path, schema: ImageSchema) -> _Arrays | None:
    """Return the arrays of a source; None for a folder of PNG files."""
    if not path.exists():
        raise InputError(
            f"data must be a folder of PNG files, an NPZ file or IDX files, and there is nothing "
            f"at {path}; check the path.",
            argument="data",
        )
    pair = find_idx_pair(path)
    images: NDArray[np.uint8]
    labels: NDArray[np.integer]
    if pair is not None:
        images, labels = read_idx_pair(*pair)
    elif path.is_dir():
        return None
    elif path.suffix == ".npz":
        images, labels = read_npz(path)
    else:
        raise InputError(
            f"data must be a folder of PNG files, an NPZ file (.npz) or IDX files "
            f"(...-images-idx3-ubyte), and {path.name} is none of them.",
            argument="data",
        )
    return _Arrays(images=_arrange(images, schema, path.name), labels=_check(images, labels, path))


def _arrange(images: NDArray[np.uint8], schema: ImageSchema, name: str) -> NDArray[np.uint8]:
    """Return images as ``(n, channels, height, width)``.

    Raises:
        InputError: if they have another size.
    """
    channels, height, width = schema.shape
    grey = ((height, width), (height, width, 1), (height * width,))
    if channels == 1 and images.shape[1:] in grey:
        return images.reshape(-1, 1, height, width)
    if channels == 3 and images.shape[1:] == (height, width, 3):
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    wanted = f"{height} x {width} pixels" + (" and 3 channels" if channels == 3 else "")
    raise InputError(
        f"images in {name} must have {wanted}, as the schema says, and the array has shape "
        f"({', '.join(['n', *map(str, images.shape[1:])])}); resize them, or correct the schema.",
        argument="data",
    )


def _check(images: NDArray[np.uint8], labels: NDArray[np.integer], path: Path) -> NDArray[np.int64]:
    if labels.shape != (len(images),):
        raise InputError(
            f"labels in {path.name} must be one for each image, and there are "
            f"{len(labels) if labels.ndim == 1 else 'several columns of them'} labels for "
            f"{len(images)} images.",
            argument="data",
        )
    if len(images) == 0:
        raise InputError(f"{path.name} must hold images, and it holds none.", argument="data")
    return labels.astype(np.int64)


def _to_codes(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Codes:
    codes = np.empty((len(images), int(np.prod(images.shape[1:])) + 1), dtype=np.int16)
    codes[:, :-1] = images.reshape(len(images), codes.shape[1] - 1)
    codes[:, -1] = labels
    return codes
