"""The public description of a collection of images: its size, its channels and its classes."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthesis.schema.columns import Name
from synthesis.schema.schema import MAX_LABEL_LEVELS, UnitOfPrivacy

MAX_SIDE = 64
"""Longest side of an image in pixels; the sketch and the networks grow with its square."""

Side = Annotated[int, Field(ge=4, le=MAX_SIDE)]


class ImageSchema(BaseModel):
    """A public description of labelled images, agreed by people; nothing in it is fitted on data.

    A record is one image with its class: ``channels`` planes of ``height`` x ``width`` whole
    numbers from 0 to 255. As a row of codes it is these numbers, plane by plane and line by line,
    and then the number of the class.

    Attributes:
        kind: tells a schema of images from one of tables.
        name: a short name for the collection.
        height: pixels from top to bottom, in [4, 64].
        width: pixels from left to right, in [4, 64].
        channels: 1 (grey) or 3 (red, green, blue).
        classes: names of the classes, in the order of their numbers, from 0.
        is_dark_around: whether what surrounds the subject is exactly black, as in scans of digits
            or X-rays. A Gaussian has no exact black, so the haze that it draws is then cut.
        may_flip: whether an image means the same mirrored left to right: a shoe does, a digit does
            not. Networks are then shown both, within the clip of one record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["images"] = "images"
    name: Name
    height: Side
    width: Side
    channels: Literal[1, 3] = 1
    classes: Annotated[tuple[Name, ...], Field(min_length=2, max_length=MAX_LABEL_LEVELS)]
    is_dark_around: bool = False
    may_flip: bool = False

    @model_validator(mode="after")
    def _check_classes(self) -> ImageSchema:
        for name in self.classes:
            if self.classes.count(name) > 1:
                raise ValueError(f"class {name!r} is declared twice; remove one of them")
        return self

    @property
    def unit(self) -> UnitOfPrivacy:
        """Whom the promise protects: one image."""
        return UnitOfPrivacy()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width

    @property
    def num_pixels(self) -> int:
        """Numbers of an image, over all channels."""
        return self.channels * self.height * self.width

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def digest(self) -> str:
        """Return a SHA-256 that is the same exactly when sites agree on what is synthesised."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
