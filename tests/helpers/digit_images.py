"""Public digits and made-up images as rows of codes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.datasets import load_digits

from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

DIGITS = ImageSchema(name="digits", height=8, width=8, classes=tuple("0123456789"))


def read_digit_codes() -> Codes:
    """Return the 1,797 digits in the order of the source, where writers follow each other."""
    digits = load_digits()
    pixels = np.rint(digits.data * 255 / 16)
    return np.column_stack([pixels, digits.target]).astype(np.int16)


def bright_halves(
    number: int, *, side: int = 28, channels: Literal[1, 3] = 1, seed: int = 0
) -> tuple[Codes, ImageSchema]:
    """Return noisy images whose class says whether the top or the bottom half is bright."""
    schema = ImageSchema(
        name="halves", height=side, width=side, channels=channels, classes=("top", "bottom")
    )
    rng = np.random.default_rng(seed)
    classes = rng.integers(2, size=number)
    images = rng.integers(0, 100, size=(number, *schema.shape))
    half = side // 2
    images[classes == 0, :, :half] += 120
    images[classes == 1, :, half:] += 120
    return np.column_stack([images.reshape(number, -1), classes]).astype(np.int16), schema
