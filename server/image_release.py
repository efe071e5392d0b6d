"""The release folder of images: NPZ, a grid, generator, schema, report and receipts."""

from __future__ import annotations

from pathlib import Path

from server.croissant import write_image_croissant
from server.data_card import write_data_card
from server.release import RECEIPTS_FOLDER, SCHEMA_FILE, write_receipts
from server.report import Report, write_report
from synthesis.images.generator import ImageGenerator
from synthesis.images.model_files import save_image_generator
from synthesis.images.pictures import draw_grid
from synthesis.images.saving import save_images
from synthesis.images.schema import ImageSchema
from synthesis.kinds import dump_any_schema
from synthesis.units import Codes

IMAGES_FILE = "synthetic.npz"
GRID_FILE = "synthetic.png"


def write_image_release(
    folder: Path,
    *,
    codes: Codes,
    generator: ImageGenerator,
    schema: ImageSchema,
    report: Report,
) -> None:
    """Write all files of a release into an existing folder.

    Args:
        folder: an empty one.
        codes: the synthetic images.
        generator: that they are from.
        schema: public.
        report: what is said of them.
    """
    save_images(folder / IMAGES_FILE, codes, schema)
    (folder / GRID_FILE).write_bytes(draw_grid(codes, schema))
    save_image_generator(folder, generator, schema)
    (folder / SCHEMA_FILE).write_text(dump_any_schema(schema), encoding="utf-8")
    write_report(report, folder)
    write_data_card(folder, report)
    write_image_croissant(folder, IMAGES_FILE, schema, report)
    write_receipts(report, folder / RECEIPTS_FOLDER)
