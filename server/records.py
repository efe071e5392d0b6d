"""Synthetic records of any kind: drawn from a generator, and written into a release folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from server.attestation.canaries import CanaryStatement
from server.image_release import write_image_release
from server.outcome import AnyGenerator
from server.release import write_release
from server.report import Images, Report, build_images
from synthesis import InputError
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator
from synthesis.images.sampling import MOST_IMAGES, sample_images
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.sampling import sample_table
from synthesis.schema import Schema
from synthesis.units import Codes

Records: TypeAlias = pd.DataFrame | Codes

MOST_ROWS: Final = 10_000_000
MOST_PIXELS: Final = 250_000_000
"""Numbers of all images together; half a gigabyte while they are drawn."""


def most_suggested(schema: AnySchema) -> int:
    """Return the most records of a release unless more are asked for.

    Sites suggest the number, under noise, and one that lies must not fill the coordinator's memory.
    """
    if isinstance(schema, ImageSchema):
        return max(1, MOST_PIXELS // schema.num_pixels)
    return MOST_ROWS


def check_number(schema: AnySchema, number: int) -> None:
    """Raise InputError unless so many records can be drawn; call it before a study is run."""
    if isinstance(schema, ImageSchema) and number > MOST_IMAGES:
        raise InputError(
            f"rows must be at most {MOST_IMAGES:,} where they are images, got {number:,}; ask for "
            "fewer and draw more with 'fedsynth sample'.",
            argument="rows",
        )


def draw_records(generator: AnyGenerator, schema: AnySchema, number: int, *, seed: int) -> Records:
    """Draw synthetic records; the same seed gives the same ones, and nothing is spent.

    Args:
        generator: the global generator.
        schema: its schema.
        number: records to draw, >= 1.
        seed: of the draw.

    Returns:
        A table, or of images their codes, ``(number, num_pixels + 1)``.

    Raises:
        InputError: if so many cannot be drawn.
    """
    if isinstance(schema, ImageSchema):
        assert isinstance(generator, ImageGenerator)
        return sample_images(generator, schema, number, seed=seed)
    assert isinstance(generator, Generator)
    return sample_table(generator, schema, number, seed=seed)


def picture_records(
    records: Records, schema: AnySchema, rounds: Mapping[int, Codes] | None = None
) -> Images | None:
    """Return what published images look like, without any real one; None for a table.

    Args:
        records: what ``draw_records`` returned.
        schema: public.
        rounds: a few images of every class, by the round that left them.
    """
    if not isinstance(schema, ImageSchema):
        return None
    assert isinstance(records, np.ndarray)
    return build_images(schema, records, rounds=rounds)


def write_any_release(
    folder: Path,
    *,
    records: Records,
    generator: AnyGenerator,
    schema: AnySchema,
    report: Report,
    canaries: CanaryStatement | None = None,
) -> None:
    """Write all files of a release into an existing folder.

    Args:
        folder: an empty one.
        records: what ``draw_records`` returned.
        generator: that they are from.
        schema: public.
        report: what is said of them.
        canaries: what is opened of the sites' canaries, if any site planted some; tables alone.
    """
    if isinstance(schema, ImageSchema):
        assert isinstance(generator, ImageGenerator) and isinstance(records, np.ndarray)
        write_image_release(
            folder, codes=records, generator=generator, schema=schema, report=report
        )
        return
    assert isinstance(schema, Schema) and isinstance(generator, Generator)
    assert isinstance(records, pd.DataFrame)
    write_release(
        folder, table=records, generator=generator, schema=schema, report=report, canaries=canaries
    )
