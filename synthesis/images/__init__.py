"""Images as a second kind of data: schema, reading, sketch, networks and measures of quality."""

from synthesis.images.reading import check_images, read_image_units
from synthesis.images.saving import save_images, to_images
from synthesis.images.schema import ImageSchema
from synthesis.images.violations import ImageRule, ImageViolation

__all__ = [
    "ImageRule",
    "ImageSchema",
    "ImageViolation",
    "check_images",
    "read_image_units",
    "save_images",
    "to_images",
]
