"""The kinds of data that can be synthesised: what differs between tables and images, in one place.

Models wait for torch, so that reading a schema does not.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthesis.images.schema import ImageSchema
from synthesis.kinds.schemas import AnySchema, dump_any_schema, load_any_schema, parse_any_schema

if TYPE_CHECKING:
    from synthesis.kinds.kind import Kind

__all__ = [
    "IMAGES",
    "TABLES",
    "VAE",
    "AnySchema",
    "dump_any_schema",
    "kind_of",
    "load_any_schema",
    "model_of",
    "models_of",
    "parse_any_schema",
]

TABLES = "mixture"
"""Generator family of tables, as studies and policies call it."""
IMAGES = "images"
"""Generator family of images."""
VAE = "vae"
"""Generator family of variational autoencoders, for both."""


def model_of(schema: AnySchema) -> str:
    """Return the usual generator family for what a schema describes."""
    return IMAGES if isinstance(schema, ImageSchema) else TABLES


def models_of(schema: AnySchema) -> tuple[str, ...]:
    """Return every generator family that there is for what a schema describes."""
    return model_of(schema), VAE


def kind_of(schema: AnySchema, missing: Sequence[int] = ()) -> "Kind":
    """Return the kind of data that a schema describes.

    Args:
        schema: the public description.
        missing: positions of columns that a site lacks; images have none.
    """
    if isinstance(schema, ImageSchema):
        from synthesis.kinds.images import ImageKind

        return ImageKind(schema)
    from synthesis.kinds.tables import TableKind

    return TableKind(schema, missing)
