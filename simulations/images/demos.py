"""Images to try with: small digits that come with scikit-learn, and Fashion-MNIST if installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from simulations.demos import split_by_label
from synthesis import InputError
from synthesis.images.reading import read_image_units
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

DIGITS: Final = "digits"
FASHION: Final = "fashion"
FASHION_FOLDER: Final = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts it."""
_LABEL: Final = "label"

DIGITS_SCHEMA: Final = ImageSchema(
    name="digits", height=8, width=8, classes=tuple("0123456789"), is_dark_around=True
)
FASHION_SCHEMA: Final = ImageSchema(
    name="fashion",
    height=28,
    width=28,
    classes=(
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    is_dark_around=True,
)
IMAGE_SCHEMAS: Final = {DIGITS: DIGITS_SCHEMA, FASHION: FASHION_SCHEMA}
IMAGE_DEMOS: Final = tuple(IMAGE_SCHEMAS)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageDemo:
    """A public collection: its schema, images for the sites, and images nobody trains on."""

    schema: ImageSchema
    train: Codes
    test: Codes


def load_image_demo(name: str) -> ImageDemo:
    """Load a collection of images; the split is always the same.

    Raises:
        InputError: if there is none of that name, or it is not installed.
    """
    if name == DIGITS:
        return _load_digits()
    if name != FASHION:
        raise InputError(
            f"demo must be one of {', '.join(IMAGE_DEMOS)} for images, got {name!r}.",
            argument="demo",
        )
    paths = [FASHION_FOLDER / f"{part}-images-idx3-ubyte.gz" for part in ("train", "t10k")]
    if not all(path.is_file() for path in paths):
        raise InputError(
            f"demo fashion needs Fashion-MNIST in {FASHION_FOLDER}, and it is not there: install "
            "Debian's package dataset-fashion-mnist, or give your own copy with --data and "
            "--schema.",
            argument="demo",
        )
    train, test = (read_image_units(path, FASHION_SCHEMA).codes for path in paths)
    return ImageDemo(schema=FASHION_SCHEMA, train=train, test=test)


def _load_digits() -> ImageDemo:
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = np.rint(found.images.reshape(len(found.images), -1) * (255 / 16))
    codes = np.concatenate([pixels, found.target[:, None]], axis=1).astype(np.int16)
    train, test = split_codes(codes)
    return ImageDemo(schema=DIGITS_SCHEMA, train=train, test=test)


def split_codes(codes: Codes) -> tuple[Codes, Codes]:
    """Split off a fifth of the images of every class, always the same."""
    import pandas as pd

    labels = pd.DataFrame({_LABEL: codes[:, -1], "row": np.arange(len(codes))})
    train, test = split_by_label(labels, _LABEL)
    return codes[train["row"].to_numpy()], codes[test["row"].to_numpy()]
