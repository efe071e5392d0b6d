"""Files of labelled images for tests, in the three kinds that are read, and schemas for them."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from synthesis.images import ImageSchema, to_images
from synthesis.units import Codes

CLASSES = ("cat", "dog", "T shirt")


def make_schema(height: int = 4, width: int = 5, channels: int = 1) -> ImageSchema:
    return ImageSchema(name="pets", height=height, width=width, channels=channels, classes=CLASSES)


def make_codes(schema: ImageSchema, num_images: int = 4, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (num_images, schema.num_pixels + 1))
    codes[:, -1] = rng.integers(0, schema.num_classes, num_images)
    return codes.astype(np.int16)


@st.composite
def collections(draw: st.DrawFn, channels: tuple[int, ...] = (1, 3)) -> tuple[ImageSchema, Codes]:
    """A schema and codes that fit it, none at all included."""
    sides = st.integers(4, 9)
    schema = make_schema(draw(sides), draw(sides), draw(st.sampled_from(channels)))
    shape = (draw(st.integers(0, 6)), schema.num_pixels)
    pixels = draw(hnp.arrays(np.uint8, shape))
    labels = draw(hnp.arrays(np.uint8, (shape[0], 1), elements=st.integers(0, 2)))
    return schema, np.concatenate([pixels, labels], axis=1).astype(np.int16)


def write_png_folder(folder: Path, codes: Codes, schema: ImageSchema) -> list[Path]:
    """Write every image into the folder of its class, empty folders too; return the files."""
    for name in schema.classes:
        (folder / name).mkdir(parents=True)
    paths = []
    for number, (pixels, label) in enumerate(zip(*to_images(codes, schema), strict=True)):
        paths.append(folder / schema.classes[label] / f"{number:03d}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


def write_idx(folder: Path, codes: Codes, schema: ImageSchema, ending: str = "") -> Path:
    """Write the two files into a folder; return that of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = to_images(codes, schema)
    pack = gzip.compress if ending else bytes
    path = folder / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(pack(idx_bytes(images)))
    beside = folder / f"train-labels-idx1-ubyte{ending}"
    beside.write_bytes(pack(idx_bytes(labels.astype(np.uint8))))
    return path


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
