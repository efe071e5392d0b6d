"""From images to the part of a report that shows them."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.report.images import PNG_PREFIX, Grid, ImageFigures, Images

if TYPE_CHECKING:  # a report is read without what draws it
    from synthesis.images.schema import ImageSchema
    from synthesis.units import Codes

PUBLISHED = "synthetic"


def build_images(
    schema: "ImageSchema",
    synthetic: "Codes",
    *,
    beside: "Mapping[str, Codes] | None" = None,
    figures: ImageFigures | None = None,
) -> Images:
    """Return what the images of a release look like: the first of every class.

    Args:
        schema: of the images.
        synthetic: the published images, ``(n, num_pixels + 1)``.
        beside: further images by the kind of their picture; real ones in simulations alone.
        figures: measured against real images, in simulations alone.
    """
    from synthesis.images.pictures import choose_shown

    shown = {PUBLISHED: choose_shown(synthetic, schema), **(beside or {})}
    return Images(
        shape=schema.shape,
        classes=schema.classes,
        grids=tuple(_draw(kind, codes, schema) for kind, codes in shown.items()),
        figures=figures,
    )


def _draw(kind: str, codes: "Codes", schema: "ImageSchema") -> Grid:
    from synthesis.images.pictures import draw_grid

    png = base64.b64encode(draw_grid(codes, schema)).decode("ascii")
    return Grid.model_validate({"kind": kind, "png": f"{PNG_PREFIX}{png}"})
