"""Images as a few weighted cosine coefficients, with a norm that is bounded by public facts alone.

The two-dimensional cosine transform of an image gathers what matters in its lowest frequencies.
High frequencies are small, so they are weighted up before everything is scaled to a norm of at most
one; noise of one size then hides no frequency more than it must.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthesis.images.schema import ImageSchema

MOST_COEFFICIENTS = 256
"""Coefficients of an image over all channels; the sketch grows with their square."""
EXPONENT = 0.75
"""Weight of a coefficient as a power of its frequency."""
USUAL_PIXEL = 0.25
"""Root mean square of a pixel, on a scale from 0 to 1, up to which images keep their contrast."""
_WHOLE = 2**16
"""Cosines and coefficients are rounded to whole multiples of one over this."""


@dataclass(frozen=True, kw_only=True)
class Frequencies:
    """The cosine coefficients by which a collection is described, from its schema alone.

    Attributes:
        shape: channels, height and width of an image.
        kept: lowest frequencies kept from top to bottom, and from left to right.
    """

    shape: tuple[int, int, int]
    kept: tuple[int, int]

    @classmethod
    def of(cls, schema: ImageSchema) -> Frequencies:
        """Return the frequencies that a schema implies."""
        most = math.isqrt(MOST_COEFFICIENTS // schema.channels)
        return cls(shape=schema.shape, kept=(min(schema.height, most), min(schema.width, most)))

    @property
    def size(self) -> int:
        """Number of coefficients of an image."""
        return self.shape[0] * self.kept[0] * self.kept[1]

    @cached_property
    def bound(self) -> float:
        """The norm of weighted coefficients that becomes 1; images above it lose contrast.

        Images of the usual brightness whose power falls with the square of the frequency, as that
        of natural images does (Field 1987), lie at it.
        """
        squares = self._frequency.double() ** 2
        energy = math.prod(self.shape) * USUAL_PIXEL**2
        weighted = (squares ** (EXPONENT - 1)).sum() / (1 / squares).sum()
        return float((energy * weighted).sqrt())

    def to_coefficients(self, pixels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return scaled coefficients ``(n, size)`` of norm at most 1, up to the last bit.

        Each row is that of its own image alone: all sums are of whole numbers below 2^53, so not
        one bit of it depends on what else is there. Sums of fractions would be rounded differently
        with the number of images, and one image more could move the rows of all others.

        Args:
            pixels: from 0 to 255, ``(n, num_pixels)``.
        """
        down, across = (
            np.rint(_cosines(side, kept).double().numpy() * _WHOLE)
            for side, kept in zip(self.shape[1:], self.kept, strict=True)
        )
        planes = pixels.reshape(-1, *self.shape).astype(np.float64)
        found = down @ planes @ across.T  # (n, channels, k, l)
        scales = self._weights.double().numpy() / (255 * _WHOLE * self.bound)
        whole = np.rint(found * scales).reshape(len(pixels), -1)
        norms = np.sqrt(np.square(whole).sum(axis=1, keepdims=True))
        return np.asarray(whole / np.maximum(norms, _WHOLE))

    def to_images(self, coefficients: Tensor) -> Tensor:
        """Return the images ``(n, channels, height, width)`` of scaled coefficients, not cut."""
        down, across = (_cosines(n, k) for n, k in zip(self.shape[1:], self.kept, strict=True))
        found = coefficients.unflatten(1, (self.shape[0], *self.kept)) * self.bound / self._weights
        images: Tensor = torch.einsum("ki,nckl,lj->ncij", down, found, across)
        return images

    def to_weighted(self, images: Tensor) -> Tensor:
        """Return scaled coefficients ``(n, size)`` of images ``(n, channels, height, width)``.

        Up to rounding as ``to_coefficients``; for networks, and never for a sketch, whose sums must
        be exact.
        """
        down, across = (_cosines(n, k) for n, k in zip(self.shape[1:], self.kept, strict=True))
        found = torch.einsum("ki,ncij,lj->nckl", down, images, across) * self._weights
        flat: Tensor = found.flatten(1) / self.bound
        norms: Tensor = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        return flat / norms.clamp(min=1.0)

    @cached_property
    def _frequency(self) -> Tensor:
        down, across = (torch.arange(kept, dtype=torch.float32) for kept in self.kept)
        return (1 + down[:, None] ** 2 + across[None, :] ** 2).sqrt()

    @cached_property
    def _weights(self) -> Tensor:
        return self._frequency**EXPONENT


def _cosines(side: int, kept: int) -> Tensor:
    """Return the lowest rows of the orthonormal cosine transform (DCT-II), ``(kept, side)``."""
    frequency, place = torch.arange(kept)[:, None], torch.arange(side)[None, :]
    rows = torch.cos(math.pi * (place + 0.5) * frequency / side) * math.sqrt(2 / side)
    rows[0] /= math.sqrt(2)
    return rows
