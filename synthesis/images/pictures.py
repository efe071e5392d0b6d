"""A grid of images as one PNG: a line for every class."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

PER_CLASS = 10
PER_ROUND = 3
"""Images of a class that are shown of what a round left."""
_GAP = 1
_SIDE = 56
"""Pixels that an image is drawn with at least, each of its own as a square."""


def choose_shown(codes: Codes, schema: ImageSchema, per_class: int = PER_CLASS) -> Codes:
    """Return the first images of every class, in the order of classes; fewer where there are."""
    labels = codes[:, -1]
    chosen = [np.flatnonzero(labels == number)[:per_class] for number in range(schema.num_classes)]
    return codes[np.concatenate(chosen)]


def draw_grid(codes: Codes, schema: ImageSchema, per_class: int = PER_CLASS) -> bytes:
    """Return a PNG with a line for every class, from left to right as they come in ``codes``."""
    from PIL import Image

    channels, height, width = schema.shape
    zoom = max(1, _SIDE // max(height, width))
    lines, columns = schema.num_classes * (height + _GAP), per_class * (width + _GAP)
    canvas: NDArray[np.uint8] = np.full((lines, columns, channels), 255, dtype=np.uint8)
    for number in range(schema.num_classes):
        for place, image in enumerate(codes[codes[:, -1] == number][:per_class]):
            top, left = number * (height + _GAP), place * (width + _GAP)
            pixels = image[:-1].astype(np.uint8).reshape(schema.shape).transpose(1, 2, 0)
            canvas[top : top + height, left : left + width] = pixels
    drawn = Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)
    file = BytesIO()
    drawn.resize((columns * zoom, lines * zoom), Image.Resampling.NEAREST).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()
