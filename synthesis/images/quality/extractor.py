"""Sixty-four numbers about an image, from a network that has seen public digits only.

Distances between collections of images are taken between such numbers. The usual network for it
has seen millions of photographs, which are neither at hand nor small; this one is shipped beside
the module, so that figures can be compared across machines, though never with figures of another
network. ``make_extractor`` builds it anew.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from synthesis.images.quality.pixels import read_images
from synthesis.images.quality.training import convolve, scale
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

WEIGHTS_FILE = "extractor.safetensors"
SIDE = 28
NUM_FEATURES = 64
_PART = 500  # images at a time

Features = NDArray[np.float64]


class Extractor(nn.Sequential):
    """Three convolutions and a layer of features, for grey images of 28 x 28 pixels in [0, 1]."""

    def __init__(self) -> None:
        super().__init__(
            *convolve(1, 16),
            *convolve(16, 32),
            *convolve(32, 64),
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, NUM_FEATURES),
            # Features of digits vary by about one, so that a kernel distance has a usual size.
            nn.BatchNorm1d(NUM_FEATURES, affine=False),
            nn.ReLU(),
        )


def resize(images: Tensor) -> Tensor:
    """Return images ``(n, channels, height, width)`` as grey ones ``(n, 1, 28, 28)``, uint8.

    Grey is the mean of the channels. Larger images are averaged as they shrink.
    """
    grey = images.float().mean(1, keepdim=True)
    if grey.shape[2:] != (SIDE, SIDE):
        grey = functional.interpolate(grey, (SIDE, SIDE), mode="bilinear", antialias=True)
    return grey.round().to(torch.uint8)


@torch.inference_mode()
def extract_features(codes: Codes, schema: ImageSchema) -> Features:
    """Return the features ``(n, 64)`` of images; their classes are not looked at.

    Raises:
        ValueError: if the codes are not images of this schema.
    """
    extractor = _load_extractor()
    images, _ = read_images(codes, schema)
    parts = [extractor(scale(resize(part))) for part in images.split(_PART)]
    features: Features = torch.cat(parts).double().numpy()
    return features


def extractor_digest() -> str:
    """Return the SHA-256 of the weights; figures are comparable only where it is the same."""
    return hashlib.sha256(_read_weights()).hexdigest()


def _read_weights() -> bytes:
    return (files("synthesis.images.quality") / WEIGHTS_FILE).read_bytes()


@cache
def _load_extractor() -> Extractor:
    extractor = Extractor()
    extractor.load_state_dict(load(_read_weights()))
    return extractor.eval()
