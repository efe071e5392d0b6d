"""Images into an .npz file, as ``synthesis.images.reading`` reads them and NumPy users know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthesis.durable_file import whole_file
from synthesis.errors import InputError
from synthesis.images.schema import ImageSchema


def to_images(
    codes: NDArray[np.integer[Any]], schema: ImageSchema
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images ``(n, height, width)``, in colour ``(n, height, width, 3)``, and labels.

    Args:
        codes: shape ``(n, num_pixels + 1)``, pixels 0 to 255 and the number of the class.
        schema: the declaration.

    Raises:
        InputError: if the codes have another shape or range.
    """
    most = np.full(schema.num_pixels + 1, 255)
    most[-1] = schema.num_classes - 1
    if codes.ndim != 2 or codes.shape[1] != len(most) or ((codes < 0) | (codes > most)).any():
        raise InputError(
            f"codes must have shape (images, {len(most)}), pixels from 0 to 255 and then a class "
            f"from 0 to {most[-1]}, got shape {codes.shape}; use the schema they were made with",
            argument="codes",
        )
    planes = codes[:, :-1].astype(np.uint8).reshape(len(codes), *schema.shape)
    images = planes[:, 0] if schema.channels == 1 else planes.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), codes[:, -1].astype(np.int64)


def save_images(path: Path, codes: NDArray[np.integer[Any]], schema: ImageSchema) -> None:
    """Write arrays ``images`` and ``labels``, whole or not at all; same images, same bytes.

    Raises:
        InputError: if the name does not end in .npz, the folder is absent, or the codes do not fit
            the schema.
        OSError: if it cannot be written.
    """
    if path.suffix != ".npz" or not path.parent.is_dir():
        raise InputError(
            f"out file {path} must end in .npz and lie in a folder that exists; choose another "
            "name or make the folder",
            argument="out",
        )
    images, labels = to_images(codes, schema)
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, images=images, labels=labels)
