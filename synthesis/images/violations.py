"""The rules that single images can break, and the sentence for each. Counts of them are private."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from synthesis.images.schema import ImageSchema


class ImageRule(StrEnum):
    """The rules that images can break; the value is how reports name the rule."""

    NO_IMAGE = "no image"
    UNKNOWN_CLASS = "unknown class"
    OUTSIDE_CLASSES = "file outside the folders of classes"
    NOT_A_FILE = "not a file"
    OTHER_FORMAT = "not called .png"
    UNREADABLE = "cannot be read"
    TOO_LONG = "file too long"
    NO_PNG = "no PNG"
    DAMAGED = "damaged PNG"
    WRONG_SIZE = "wrong size"
    SIXTEEN_BITS = "16 bits"
    FEW_BITS = "fewer than 8 bits"
    PALETTE = "palette"
    TRANSPARENCY = "transparency"
    ANIMATED = "animated"
    COLOUR = "colour for grey"
    GREY = "grey for colour"
    LABEL_OUT_OF_RANGE = "label out of range"


MAX_FILE_BYTES = 2**24
"""Longest PNG file that is read; the largest image of a schema needs 12 kB."""

_TOO_LONG = MAX_FILE_BYTES // 2**20
# What is counted, what is wrong with it, and the way out.
_WORDS = {
    ImageRule.NO_IMAGE: (
        "image",
        "to fit the schema",
        "hand over at least one, or check that the path and the schema belong together",
    ),
    ImageRule.UNKNOWN_CLASS: (
        "folder",
        "with a name that is no class of the schema ({classes}; capitals count)",
        "rename it, move it elsewhere, or add the class to the schema",
    ),
    ImageRule.OUTSIDE_CLASSES: (
        "file",
        "beside the folders of classes",
        "move each image into the folder of its class and all else elsewhere",
    ),
    ImageRule.NOT_A_FILE: (
        "entry",
        "in the folder of a class that is no file",
        "put the PNG files of a class right into its folder, without folders inside",
    ),
    ImageRule.OTHER_FORMAT: (
        "file",
        "in the folder of a class with a name that does not end in .png",
        "save images as PNG and move other files elsewhere",
    ),
    ImageRule.UNREADABLE: (
        "file",
        "that may not be read or points to nothing",
        "make it readable for the user this runs as, or take it out",
    ),
    ImageRule.TOO_LONG: (
        "file",
        f"of more than {_TOO_LONG} MB",
        "save the image again without what lies in the file besides it",
    ),
    ImageRule.NO_PNG: (
        "file",
        "called .png with something else inside",
        "save the image as PNG; another name does not convert it",
    ),
    ImageRule.DAMAGED: ("PNG file", "cut short or damaged", "copy or save it again"),
    ImageRule.WRONG_SIZE: (
        "PNG file",
        "of another size than {size} pixels (width x height)",
        "scale or cut the image, or change height and width in the schema",
    ),
    ImageRule.SIXTEEN_BITS: ("PNG file", "with 16 bits per channel", "save it with 8 bits"),
    ImageRule.FEW_BITS: (
        "PNG file",
        "with 1, 2 or 4 bits per pixel",
        "save it as {mode} with 8 bits per channel",
    ),
    ImageRule.PALETTE: (
        "PNG file",
        "with a palette",
        "save it as {mode} with 8 bits per channel and no palette",
    ),
    ImageRule.TRANSPARENCY: (
        "PNG file",
        "with transparency (an alpha channel or a transparent colour)",
        "put the image on a plain ground and save it without transparency",
    ),
    ImageRule.ANIMATED: ("PNG file", "with an animation", "save one picture of it alone"),
    ImageRule.COLOUR: (
        "PNG file",
        "in colour where the schema declares grey",
        "save it as grey, or declare channels = 3 in the schema",
    ),
    ImageRule.GREY: (
        "PNG file",
        "in grey where the schema declares colour",
        "save it as RGB, or declare channels = 1 in the schema",
    ),
    ImageRule.LABEL_OUT_OF_RANGE: (
        "label",
        "outside 0 to {last}, the numbers of the {count} classes",
        "correct it or declare all classes in the schema",
    ),
}
_PLURALS = {"entry": "entries"}


@dataclass(frozen=True, kw_only=True)
class ImageViolation:
    """One rule that images break. For the local screen only: counts and file names are private.

    Attributes:
        rule: the rule they break.
        count: number of images, files or folders that break it.
        first: the first that does, in words; empty where there is none.
        schema: what was declared.
    """

    rule: ImageRule
    count: int
    first: str = ""
    schema: ImageSchema

    def sentence(self) -> str:
        """Say in one sentence what is wrong and what to do. Pixels and labels are never shown."""
        noun, wrong, way_out = (self._fill(text) for text in _WORDS[self.rule])
        if self.count > 1:
            noun = _PLURALS.get(noun, f"{noun}s")
        number = f"{self.count:,}" if self.count else "no"
        place = f" (the first: {self.first})" if self.first else ""
        return f"the data hold {number} {noun} {wrong}{place}; {way_out}."

    def _fill(self, text: str) -> str:
        schema = self.schema
        return text.format(
            classes=", ".join(schema.classes),
            size=f"{schema.width} x {schema.height}",
            mode="grey" if schema.channels == 1 else "RGB",
            last=schema.num_classes - 1,
            count=schema.num_classes,
        )
