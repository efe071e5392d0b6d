"""Images in a folder of PNG files: one folder for every class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

_MODES: Final = {1: "L", 3: "RGB"}
_WORDS: Final = {
    "1": "black and white of 1 bit",
    "L": "grey",
    "P": "a palette",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "LA": "grey with transparency",
    "I": "16 bits",
    "I;16": "16 bits",
    "I;16B": "16 bits",
}


@dataclass(frozen=True, kw_only=True)
class BadImage:
    """An image that does not take part, for the site's own screen only.

    Attributes:
        place: file, or place in a file.
        rule: what it breaks, and the way out.
    """

    place: str
    rule: str

    def sentence(self) -> str:
        """Return what is wrong in one sentence."""
        return f"{self.place} {self.rule}."


def read_png_folder(folder: Path, schema: ImageSchema) -> Codes:
    """Return the images that fit the schema, class by class, files in the order of their names.

    Raises:
        InputError: if folders are not those of classes, or hold no image at all.
    """
    found = [
        (pixels, number)
        for number, path in _list_files(folder, schema)
        if not isinstance(pixels := _read(path, folder, schema), BadImage)
    ]
    codes = np.empty((len(found), schema.num_pixels + 1), dtype=np.int16)
    for row, (pixels, number) in zip(codes, found, strict=True):
        row[:-1], row[-1] = pixels.reshape(-1), number
    return codes


def check_png_folder(folder: Path, schema: ImageSchema) -> Sequence[BadImage]:
    """Return what is wrong with single files.

    Raises:
        InputError: if folders are not those of classes, or hold no image at all.
    """
    return [
        read
        for _, path in _list_files(folder, schema)
        if isinstance(read := _read(path, folder, schema), BadImage)
    ]


def _list_files(folder: Path, schema: ImageSchema) -> list[tuple[int, Path]]:
    """Return every file with the number of its class; hidden ones are passed over."""
    try:
        entries = [each for each in sorted(folder.iterdir()) if not each.name.startswith(".")]
        for each in entries:
            if not each.is_dir() or each.name not in schema.classes:
                raise InputError(
                    f"{folder.name} must hold a folder for each class ("
                    f"{', '.join(schema.classes)}) and nothing else, and it holds {each.name}.",
                    argument="data",
                )
        files = [
            (schema.classes.index(each.name), path)
            for each in entries
            for path in sorted(each.iterdir())
            if not path.name.startswith(".")
        ]
    except OSError as error:
        raise InputError(f"{folder} cannot be listed: {error.strerror}.", argument="data") from None
    if not files:
        raise InputError(
            f"{folder.name} must hold PNG files in folders called as the classes "
            f"({', '.join(schema.classes)}), and it holds none.",
            argument="data",
        )
    return files


def _read(path: Path, folder: Path, schema: ImageSchema) -> NDArray[np.uint8] | BadImage:
    """Return the pixels ``(channels, height, width)`` of a file, or what is wrong with it."""
    place = str(path.relative_to(folder))
    rule = "; ".join(_find_faults(path, schema))
    if rule:
        return BadImage(place=place, rule=rule)
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            pixels = np.asarray(image, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError):
        return BadImage(place=place, rule="is cut short or damaged; get it again")
    return pixels.reshape(schema.height, schema.width, schema.channels).transpose(2, 0, 1)


def _find_faults(path: Path, schema: ImageSchema) -> Iterator[str]:
    """Yield what the head of a file shows, before anything of it is unpacked."""
    from PIL import Image

    if path.suffix.lower() != ".png" or not path.is_file():
        yield "must be a PNG file; convert it or move it away"
        return
    try:
        with Image.open(path, formats=["PNG"]) as image:
            size, mode = image.size, image.mode
    except PermissionError:
        yield "may not be read; check its permissions"
        return
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        yield "is called PNG and is none that can be read; get it again"
        return
    if size != (schema.width, schema.height):
        yield (
            f"must have {schema.height} x {schema.width} pixels, as the schema says, and it has "
            f"{size[1]} x {size[0]}; resize it"
        )
    wanted = _MODES[schema.channels]
    if mode != wanted:
        yield (
            f"must be {_WORDS[wanted]} of 8 bits, as the schema says, and it is "
            f"{_WORDS.get(mode, mode)}; convert it"
        )
