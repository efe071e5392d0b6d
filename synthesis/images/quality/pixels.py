"""From rows of codes to images and classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synthesis.images.schema import ImageSchema
from synthesis.units import Codes


def read_images(codes: Codes, schema: ImageSchema) -> tuple[Tensor, Tensor]:
    """Return the images of rows of codes, and their classes.

    Args:
        codes: ``(n, num_pixels + 1)``, pixels in 0..255 and then the number of the class.
        schema: the public description.

    Returns:
        Images ``(n, channels, height, width)``, uint8, and classes ``(n,)``, int64.

    Raises:
        ValueError: if there is no row, or the rows are not of this schema.
    """
    if codes.ndim != 2 or codes.shape[1] != schema.num_pixels + 1 or len(codes) == 0:
        raise ValueError(
            f"codes must be at least one row of {schema.num_pixels + 1} numbers, got an array of "
            f"shape {codes.shape}; give the rows of a collection of schema {schema.name!r}."
        )
    pixels, classes = codes[:, :-1], codes[:, -1]
    if not (_within(pixels, 255) and _within(classes, schema.num_classes - 1)):
        raise ValueError(
            f"codes must hold pixels from 0 to 255 and a class from 0 to {schema.num_classes - 1}, "
            "and a number lies outside; put the class last."
        )
    images = torch.from_numpy(pixels.astype(np.uint8)).reshape(-1, *schema.shape)
    return images, torch.from_numpy(classes.astype(np.int64))


def _within(numbers: Codes, highest: int) -> bool:
    return bool(numbers.min() >= 0 and numbers.max() <= highest)
