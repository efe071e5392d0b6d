"""A folder with a folder of PNG files for each class."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthesis.errors import InputError
from synthesis.images.file_errors import cannot_open, is_folder, is_of_one_file, unavailable
from synthesis.images.png_file import decode_png
from synthesis.images.rows import ImageReading, empty_codes
from synthesis.images.schema import ImageSchema
from synthesis.images.violations import MAX_FILE_BYTES, ImageRule, ImageViolation


def read_png_folder(folder: Path, schema: ImageSchema) -> ImageReading:
    """Read the PNG files of each class, in the order of their names.

    Every file is read by itself: one that breaks a rule is left out and changes nothing else. The
    folders of classes are layout and no records: keep them when they are empty, for a folder
    without any of them is taken for the wrong one. A class with a slash in its name can have no
    folder; its images must come in another kind of source.

    Raises:
        InputError: if there is no folder of a class, or one may not be read.
        SourceUnavailable: if the system fails to hand over what was there.
    """
    misfits: dict[ImageRule, list[str]] = {}
    numbers = {name: number for number, name in enumerate(schema.classes)}
    files: list[tuple[Path, int]] = []
    has_class = False
    for path in _list(folder):
        if path.name in numbers and is_folder(path):
            has_class = True
            files += [(file, numbers[path.name]) for file in _files_of(path, misfits)]
        elif not path.name.startswith("."):
            rule = ImageRule.UNKNOWN_CLASS if is_folder(path) else ImageRule.OUTSIDE_CLASSES
            misfits.setdefault(rule, []).append(path.name)
    if not has_class:
        raise InputError(
            f"data folder {folder} must hold a folder of PNG files for each class, called like the "
            f"class ({', '.join(schema.classes)}; capitals count), and holds none; name another "
            "folder, an .npz file or an IDX file, or rename the folders",
            argument="data",
        )
    codes = empty_codes(schema, len(files))
    num_images = 0
    for path, number in files:
        pixels = _read_file(path, schema)
        if isinstance(pixels, ImageRule):
            misfits.setdefault(pixels, []).append(_name(path))
            continue
        planes = pixels if schema.channels == 1 else pixels.transpose(2, 0, 1)
        codes[num_images, :-1] = planes.reshape(-1)
        codes[num_images, -1] = number
        num_images += 1
    violations = (
        ImageViolation(rule=rule, count=len(names), first=repr(names[0]), schema=schema)
        for rule, names in misfits.items()
    )
    return ImageReading(codes=codes[:num_images], violations=tuple(violations))


def _list(folder: Path) -> list[Path]:
    try:
        if not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError
        return sorted(folder.iterdir())
    except OSError as error:
        raise cannot_open(folder, error) from None


def _files_of(folder: Path, misfits: dict[ImageRule, list[str]]) -> Iterator[Path]:
    """Yield what is called .png in the folder of a class; hidden files are passed over."""
    for path in _list(folder):
        if path.suffix.lower() == ".png":
            yield path
        elif not path.name.startswith("."):
            rule = ImageRule.NOT_A_FILE if is_folder(path) else ImageRule.OTHER_FORMAT
            misfits.setdefault(rule, []).append(_name(path))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _read_file(path: Path, schema: ImageSchema) -> NDArray[np.uint8] | ImageRule:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a named pipe would wait for ever
            return ImageRule.NOT_A_FILE
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        if is_of_one_file(path, error):
            return ImageRule.UNREADABLE
        raise unavailable(error) from None
    return ImageRule.TOO_LONG if len(content) > MAX_FILE_BYTES else decode_png(content, schema)
