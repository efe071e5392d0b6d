"""Images as a second kind of data: schema, reading, sketch, networks and measures of quality."""

from synthesis.images.schema import ImageSchema

__all__ = ["ImageSchema"]
