"""One PNG file into pixels, or the rule it breaks; the header is checked before any decoding."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthesis.images.schema import ImageSchema
from synthesis.images.violations import ImageRule

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6  # PNG, section 11.2.1
_PIXELS = (b"IHDR", b"IDAT", b"IEND")


def decode_png(content: bytes, schema: ImageSchema) -> NDArray[np.uint8] | ImageRule:
    """Return the pixels of a file, shape ``(height, width)`` or with 3 channels behind it.

    The decoder is handed the chunks of pixels alone, so nothing else in a file can reach it.
    """
    if not content.startswith(_SIGNATURE):
        is_cut = _SIGNATURE.startswith(content)
        return ImageRule.DAMAGED if is_cut else ImageRule.NO_PNG
    chunks = _split(content)
    if chunks is None:
        return ImageRule.DAMAGED
    broken = _check_header(chunks[0], schema)
    names = {chunk[4:8] for chunk in chunks}
    if broken is None and b"tRNS" in names:
        broken = ImageRule.TRANSPARENCY
    if broken is None and b"acTL" in names:
        broken = ImageRule.ANIMATED
    if broken is not None:
        return broken
    bare = _SIGNATURE + b"".join(chunk for chunk in chunks if chunk[4:8] in _PIXELS)
    try:
        with Image.open(io.BytesIO(bare), formats=["PNG"]) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError):  # SyntaxError is Pillow's word for a broken file
        return ImageRule.DAMAGED


def _split(content: bytes) -> list[bytes] | None:
    """Return the chunks up to the last, the header first; None if one is missing or damaged."""
    chunks: list[bytes] = []
    start = len(_SIGNATURE)
    while not chunks or chunks[-1][4:8] != b"IEND":
        if len(content) < start + 12:
            return None
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        chunk = content[start:end]
        checksum = int.from_bytes(chunk[-4:], "big")
        if len(content) < end or zlib.crc32(chunk[4:-4]) != checksum:
            return None
        chunks.append(chunk)
        start = end
    is_header = chunks[0][4:8] == b"IHDR" and len(chunks[0]) == 25
    is_only = sum(chunk[4:8] == b"IHDR" for chunk in chunks) == 1
    return chunks if is_header and is_only else None


def _check_header(header: bytes, schema: ImageSchema) -> ImageRule | None:
    width, height, depth, colour = struct.unpack_from(">IIBB", header, 8)
    declared = _GREY if schema.channels == 1 else _COLOUR
    rules = {
        ImageRule.PALETTE: colour == _PALETTE,
        ImageRule.TRANSPARENCY: colour in (_GREY_ALPHA, _COLOUR_ALPHA),
        ImageRule.DAMAGED: colour not in (_GREY, _COLOUR) or depth not in (1, 2, 4, 8, 16),
        ImageRule.SIXTEEN_BITS: depth == 16,
        ImageRule.FEW_BITS: depth < 8,
        ImageRule.COLOUR: colour == _COLOUR != declared,
        ImageRule.GREY: colour == _GREY != declared,
        ImageRule.WRONG_SIZE: (width, height) != (schema.width, schema.height),
    }
    return next((rule for rule, is_broken in rules.items() if is_broken), None)
