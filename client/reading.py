"""A site's records of any kind, read and encoded for a study; the ledger must know of it before."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from client.data_source import SqlSource, read_parts
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema

if TYPE_CHECKING:
    from synthesis.units import Units


def read_any_units(
    data: str | SqlSource, folder: Path, schema: AnySchema, missing: tuple[int, ...] = ()
) -> Units:
    """Return the units of a site; records that break the schema do not take part.

    Args:
        data: what ``site.toml`` says.
        folder: the site's, which relative paths start from.
        schema: the public description.
        missing: positions of columns that the site lacks, and that are not read.

    Raises:
        InputError: if what was given must be mended.
        SourceUnavailable: if the data are out of reach for now.
    """
    # Most of what a site does reads no record and must not wait for what reads them.
    if isinstance(schema, ImageSchema):
        if isinstance(data, SqlSource):
            raise InputError(
                "data must be files where the schema describes images: a folder of PNG files, an "
                "NPZ file or IDX files; a query gives tables.",
                argument="data",
            )
        from synthesis.images.reading import read_image_units

        return read_image_units(folder / data, schema)
    from synthesis.encoding import needed_columns, read_units

    parts = read_parts(data, folder, needed_columns(schema, missing))
    with closing(parts):  # at once, when a part is refused, and not when memory is cleared
        return read_units(schema, parts, missing)
