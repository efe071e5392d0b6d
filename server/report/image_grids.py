"""From images to the part of a report that shows them."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.report.images import PNG_PREFIX, Grid, ImageFigures, Images, RoundGrid

if TYPE_CHECKING:  # a report is read without what draws it
    from synthesis.images.schema import ImageSchema
    from synthesis.units import Codes

PUBLISHED = "synthetic"


def build_images(
    schema: "ImageSchema",
    synthetic: "Codes",
    *,
    rounds: "Mapping[int, Codes] | None" = None,
    beside: "Mapping[str, Codes] | None" = None,
    figures: ImageFigures | None = None,
) -> Images:
    """Return what the images of a release look like: the first of every class.

    Args:
        schema: of the images.
        synthetic: the published images, ``(n, num_pixels + 1)``.
        rounds: a few images of every class, by the round that left them.
        beside: further images by the kind of their picture; real ones in simulations alone.
        figures: measured against real images, in simulations alone.
    """
    from synthesis.images.pictures import PER_CLASS, PER_ROUND, choose_shown

    shown = {PUBLISHED: choose_shown(synthetic, schema), **(beside or {})}
    return Images(
        shape=schema.shape,
        classes=schema.classes,
        grids=tuple(
            Grid.model_validate({"kind": kind, "png": _draw(codes, schema, PER_CLASS)})
            for kind, codes in shown.items()
        ),
        rounds=tuple(
            RoundGrid(server_round=number, png=_draw(codes, schema, PER_ROUND))
            for number, codes in (rounds or {}).items()
        ),
        figures=figures,
    )


def _draw(codes: "Codes", schema: "ImageSchema", per_class: int) -> str:
    from synthesis.images.pictures import draw_grid

    png = base64.b64encode(draw_grid(codes, schema, per_class)).decode("ascii")
    return f"{PNG_PREFIX}{png}"
