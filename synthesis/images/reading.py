"""The labelled images of a site: PNG files in folders, a NumPy archive, or IDX files."""

from __future__ import annotations

import stat
from pathlib import Path

from synthesis.errors import InputError
from synthesis.images.file_errors import cannot_open, is_folder
from synthesis.images.idx_files import choose_idx_images, is_idx, read_idx
from synthesis.images.npz_file import read_npz
from synthesis.images.rows import ImageReading
from synthesis.images.schema import ImageSchema
from synthesis.images.violations import ImageRule, ImageViolation
from synthesis.units import Units


def read_image_units(path: Path, schema: ImageSchema) -> Units:
    """Return the units of a site: the images that fit the schema, each a unit of its own.

    Whether an image takes part depends on that image alone. One that breaks the schema, or cannot
    be read, cannot be told from its absence; ``check_images`` is there to find it before. There may
    be no images. Only what no single image decides is refused: the layout of folders, a container
    that is damaged or lacks an array, the type and shape of whole arrays.

    Args:
        path: what lies there tells the kind of source. A folder with a folder of PNG files for each
            class, called like it; an .npz file with arrays ``images`` and ``labels``; an IDX file
            of images with that of labels beside it, or a folder with just one such pair.
        schema: the declaration.

    Returns:
        Units whose codes have shape ``(n_images, num_pixels + 1)``, pixels and then the class.

    Raises:
        InputError: if the source as a whole is absent, damaged or unlike the schema. The sentence
            may hold private counts and is for the local screen only.
        SourceUnavailable: if the system fails to hand over what was there.
    """
    return Units.from_records(_read(Path(path), schema).codes)


def check_images(path: Path, schema: ImageSchema) -> list[ImageViolation]:
    """Return everything in which images depart from a schema; an empty list means they all fit.

    For the local screen and for simulations: the result is private.

    Raises:
        InputError: as ``read_image_units``.
        SourceUnavailable: as ``read_image_units``.
    """
    reading = _read(Path(path), schema)
    violations = list(reading.violations)
    if len(reading.codes) == 0:
        violations.append(ImageViolation(rule=ImageRule.NO_IMAGE, count=0, schema=schema))
    return violations


def _read(path: Path, schema: ImageSchema) -> ImageReading:
    try:
        mode = path.stat().st_mode
        entries = sorted(path.iterdir()) if stat.S_ISDIR(mode) else []
    except OSError as error:
        raise cannot_open(path, error) from None
    idx = [e for e in entries if (is_idx(e, 3) or is_idx(e, 1)) and not is_folder(e)]
    if idx:
        return read_idx(choose_idx_images(path, [e for e in idx if is_idx(e, 3)]), schema)
    if stat.S_ISDIR(mode):
        from synthesis.images.png_folder import read_png_folder  # Pillow, which others do not need

        return read_png_folder(path, schema)
    if stat.S_ISREG(mode) and path.suffix.lower() == ".npz":
        return read_npz(path, schema)
    if stat.S_ISREG(mode) and is_idx(path, 3):
        return read_idx(path, schema)
    raise InputError(
        f"data {path} must be a folder with a folder of PNG files for each class, an .npz file, or "
        "an IDX file of images (*images*idx3-ubyte or .gz); convert it to one of these, or name "
        "the file of images and not that of labels",
        argument="data",
    )
