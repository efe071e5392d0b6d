"""Images as a table, for people who work with tables: one row for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from synthesis.errors import InputError
from synthesis.images.saving import to_images
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

IMAGE, CLASS = "image", "class"
COLUMNS: Final = (IMAGE, CLASS)


def to_table(codes: Codes, schema: ImageSchema) -> pd.DataFrame:
    """Return a table with the columns ``image`` and ``class``.

    Args:
        codes: shape ``(n, num_pixels + 1)``, pixels 0 to 255 and the number of the class.
        schema: the declaration.

    Returns:
        ``image`` holds arrays of uint8, ``(height, width)`` or in colour ``(height, width, 3)``;
        ``class`` the names of the classes, as a categorical column in the order of the schema.

    Raises:
        InputError: if the codes have another shape or range.
    """
    images, labels = to_images(codes, schema)
    classes = pd.Categorical.from_codes(labels, categories=pd.Index(schema.classes))
    column = pd.Series(list(images), dtype=object)
    return pd.DataFrame({IMAGE: column, CLASS: classes})


def parse_class(where: Sequence[str]) -> str | None:
    """Return the class that ``class=NAME`` asks for; None where nothing is asked.

    Raises:
        InputError: for any other condition.
    """
    if not where:
        return None
    name, sign, value = where[0].partition("=")
    if len(where) > 1 or not sign or name.strip() != CLASS:
        raise InputError(
            f"where must be one condition class=NAME on images, got {' and '.join(where)!r}.",
            argument="where",
        )
    return value.strip()
