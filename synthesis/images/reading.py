"""Reading images; replaced by the whole reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthesis.images.schema import ImageSchema
from synthesis.units import Units


@dataclass(frozen=True, kw_only=True)
class BadImage:
    """x"""

    text: str

    def sentence(self) -> str:
        """X"""
        return self.text


def read_image_units(path: Path, schema: ImageSchema) -> Units:
    """X"""
    with np.load(path, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return Units.from_records(
        np.concatenate([images.reshape(len(images), -1), labels.reshape(-1, 1)], axis=1).astype(
            np.int16
        )
    )


def check_images(path: Path, schema: ImageSchema) -> list[BadImage]:
    """X"""
    return []


def save_images(path: Path, codes: np.ndarray, schema: ImageSchema) -> None:
    """X"""
    np.savez_compressed(
        path,
        images=codes[:, :-1].astype(np.uint8).reshape(-1, *schema.shape[1:]),
        labels=codes[:, -1].astype(np.uint8),
    )
