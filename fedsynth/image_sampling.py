"""``fedsynth sample`` on a release of images: more of them, as NPZ or as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from fedsynth.as_signed import check_as_signed
from fedsynth.new_file import check_new_file
from synthesis import InputError
from synthesis.durable_file import whole_file
from synthesis.image_tables import parse_class, to_table
from synthesis.images.model_files import load_image_generator
from synthesis.images.pictures import draw_grid
from synthesis.images.sampling import sample_images
from synthesis.images.saving import save_images
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

ENDINGS: Final = (".npz", ".png")


def write_images(
    release: Path, rows: int | None, out: Path, *, where: Sequence[str] = (), seed: int = 0
) -> int:
    """Draw images from the generator of a release into a new file, and return how many.

    Args:
        release: folder that a study wrote.
        rows: images to draw, >= 1.
        out: ``.npz`` for arrays ``images`` and ``labels``, ``.png`` for a grid to look at.
        where: nothing, or ``class=NAME``.
        seed: the same seed gives the same images.

    Raises:
        InputError: if something given cannot be used; nothing is written.
        OSError: if the file cannot be written; nothing is left of it.
    """
    check_new_file(out, endings=ENDINGS)
    codes, schema = _draw(release, rows, where=where, seed=seed)
    if out.suffix == ".npz":
        save_images(out, codes, schema)
    else:
        with whole_file(out) as file:
            file.write(draw_grid(codes, schema))
    return len(codes)


def sample_image_table(
    release: Path, rows: int | None, *, where: Sequence[str] = (), seed: int = 0
) -> pd.DataFrame:
    """Draw images as a table with columns ``image`` and ``class``; all are drawn at once.

    Args:
        release: folder that a study wrote.
        rows: images to draw, >= 1.
        where: nothing, or ``class=NAME``.
        seed: the same seed gives the same images.

    Raises:
        InputError: if something given cannot be used.
    """
    codes, schema = _draw(release, rows, where=where, seed=seed)
    return to_table(codes, schema)


def _draw(
    release: Path, rows: int | None, *, where: Sequence[str], seed: int
) -> tuple[Codes, ImageSchema]:
    generator, schema = load_image_generator(release)
    check_as_signed(release)
    if rows is None:
        raise InputError("rows are needed; say how many.", argument="rows")
    return sample_images(generator, schema, rows, seed=seed, only=parse_class(where)), schema
