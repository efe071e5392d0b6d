"""Labelled images as rows of codes, and those left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.schema import ImageSchema
from synthesis.images.violations import ImageRule, ImageViolation
from synthesis.units import Codes

MAX_ARRAY_BYTES = 2**31
"""Most bytes that an array in a file may declare; more is not even allocated."""
_IMAGES_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageReading:
    """What was read of a source. Private, hence not in its ``repr``.

    Attributes:
        codes: the images that fit the schema, shape ``(n_images, num_pixels + 1)``.
        violations: what was left out.
    """

    codes: Codes = field(repr=False)
    violations: tuple[ImageViolation, ...] = field(repr=False)


def empty_codes(schema: ImageSchema, num_images: int) -> Codes:
    """Return room for the codes of as many images."""
    return np.empty((num_images, schema.num_pixels + 1), dtype=np.int16)


def read_arrays(
    images: NDArray[np.uint8], labels: NDArray[np.integer[Any]], schema: ImageSchema
) -> ImageReading:
    """Return the images whose label is a class of the schema.

    Args:
        images: shape ``(n, height, width)``, with channels behind it in colour, or flat.
        labels: shape ``(n,)``.
        schema: the declaration; ``check_shapes`` has found that they fit it.
    """
    fits = (labels >= 0) & (labels < schema.num_classes)
    kept = np.flatnonzero(fits)
    codes = empty_codes(schema, len(kept))
    for start in range(0, len(kept), _IMAGES_AT_ONCE):
        rows = kept[start : start + _IMAGES_AT_ONCE]
        part = images[rows]
        if schema.channels > 1:
            part = part.transpose(0, 3, 1, 2)  # planes come first in a row
        codes[start : start + len(rows), :-1] = part.reshape(len(rows), -1)
        codes[start : start + len(rows), -1] = labels[rows]
    violations: tuple[ImageViolation, ...] = ()
    if len(kept) < len(labels):
        violation = ImageViolation(
            rule=ImageRule.LABEL_OUT_OF_RANGE,
            count=len(labels) - len(kept),
            first=f"image {int(np.argmin(fits)) + 1:,}",
            schema=schema,
        )
        violations = (violation,)
    return ImageReading(codes=codes, violations=violations)


def check_shapes(
    path: Path, schema: ImageSchema, images: Sequence[int], labels: Sequence[int]
) -> None:
    """Raise InputError unless arrays of these shapes hold images of the schema and their labels."""
    height, width = schema.height, schema.width
    grey = [(height, width), (height, width, 1), (height * width,)]
    if tuple(images[1:]) not in (grey if schema.channels == 1 else [(height, width, 3)]):
        rule = "(n, {0}, {1})" if schema.channels == 1 else "(n, {0}, {1}, 3), channels last"
        raise InputError(
            f"images in data file {path} must have shape {rule.format(height, width)}, got "
            f"{tuple(images)}; give images of the schema's size and channels, or change the schema",
            argument="data",
        )
    if len(labels) != 1 or labels[0] != images[0]:
        raise InputError(
            f"labels for the images in data file {path} must have shape (n,), one for each of the "
            f"n = {images[0]} images, got {tuple(labels)}; export both again from the same data",
            argument="data",
        )


def check_declared(path: Path, shape: Sequence[int], item_bytes: int = 1) -> None:
    """Raise InputError if an array that a file declares is longer than ``MAX_ARRAY_BYTES``."""
    if math.prod(shape) * item_bytes > MAX_ARRAY_BYTES:
        raise InputError(
            f"data file {path} must not declare arrays of more than 2 GiB, got shape "
            f"{tuple(shape)}; split the images, or export the file again if it is damaged",
            argument="data",
        )
