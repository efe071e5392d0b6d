"""The private sketch of images: for each class second moments of coefficients, means of details.

With phi(x) the coefficients of an image behind a constant in front, the sketch is the sum of phi
phi-transposed over the images of each class: their number, their mean and their covariance, in one
table. Behind it stands the sum of their details, which are not linear in an image. As one release
it has one sensitivity, which follows from the norms of phi and of the details alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthesis.images.details import Details
from synthesis.images.frequencies import Frequencies
from synthesis.images.schema import ImageSchema

Counts = NDArray[np.float64]

CONSTANT = 5 / 16
"""First entry of phi: the larger, the better are numbers and means known, the worse the rest."""
FRACTION_BITS = 12
"""Entries of phi are cut to so many bits, towards zero, so that sums of products are exact."""
DIAGONAL = 16 * 128
OFF_DIAGONAL = 16 * 181
"""Scales of the two kinds of entries: an entry off the diagonal stands for two, and 181 is a little
less than 128 times the root of 2. Whole numbers keep every product on the grid of the noise."""
DETAIL = 16 * 77
"""Scale of details: with six tenths of the weight of second moments they add 14 % to the noise."""
_IMAGES_SUMMED = 1024


@dataclass(frozen=True, kw_only=True)
class ImageLayout:
    """Where every number of the sketch lies, from public facts alone.

    Attributes:
        frequencies: the coefficients.
        details: what is not linear in an image.
        num_classes: classes of the schema.
    """

    frequencies: Frequencies
    details: Details
    num_classes: int

    @classmethod
    def from_schema(cls, schema: ImageSchema) -> ImageLayout:
        """Return the layout that the schema implies."""
        return cls(
            frequencies=Frequencies.of(schema),
            details=Details.of(schema),
            num_classes=schema.num_classes,
        )

    @property
    def width(self) -> int:
        """Entries of phi."""
        return 1 + self.frequencies.size

    @property
    def dimension(self) -> int:
        """Length of the flat sketch."""
        return self.num_classes * (self._moments + self.details.size)

    @property
    def _moments(self) -> int:
        return self.width * (self.width + 1) // 2

    @property
    def sensitivity(self) -> float:
        """Largest L2 change of the whole sketch when one image is added or removed.

        The scaled triangle of phi phi-transposed has at most the norm ``DIAGONAL * |phi|^2``, for
        the square of OFF_DIAGONAL is below twice that of DIAGONAL; cutting entries towards zero
        makes no norm larger. Scaled details have at most the norm ``DETAIL``.
        """
        together = math.hypot(DIAGONAL * (CONSTANT**2 + 1.0), DETAIL)
        return math.nextafter(math.nextafter(together, math.inf), math.inf)

    @property
    def told_cells(self) -> NDArray[np.bool_]:
        """Which numbers a site tells: all of them."""
        return np.ones(self.dimension, dtype=np.bool_)

    def estimate_rows(self, flat: Counts) -> float:
        """Return how many images a noisy sketch suggests, at least 1."""
        counts = flat.reshape(self.num_classes, -1)[:, 0] / (DIAGONAL * CONSTANT**2)
        return max(1.0, float(counts.sum()))

    def to_matrices(self, flat: Counts) -> Counts:
        """Return the symmetric matrices ``(num_classes, width, width)`` of a flat sketch.

        Noise of standard deviation s in the flat sketch is s / DIAGONAL on the diagonals and s /
        OFF_DIAGONAL elsewhere.

        Raises:
            ValueError: if ``flat`` does not have the shape ``(dimension,)``.
        """
        rows, columns = self._triangle
        matrices = np.zeros((self.num_classes, self.width, self.width))
        matrices[:, rows, columns] = self._of_classes(flat)[:, : self._moments] / self._scales
        matrices[:, columns, rows] = matrices[:, rows, columns]
        return matrices

    def to_details(self, flat: Counts) -> Counts:
        """Return the sums of details ``(num_classes, details.size)`` of a flat sketch.

        Noise of standard deviation s in the flat sketch is s / DETAIL here.

        Raises:
            ValueError: if ``flat`` does not have the shape ``(dimension,)``.
        """
        return self._of_classes(flat)[:, self._moments :] / DETAIL

    def to_flat(self, matrices: Counts, details: Counts) -> Counts:
        """Return the flat sketch.

        Args:
            matrices: symmetric, ``(num_classes, width, width)``.
            details: sums over the images of each class, ``(num_classes, details.size)``.
        """
        rows, columns = self._triangle
        moments = matrices[:, rows, columns] * self._scales
        return np.concatenate([moments, details * DETAIL], axis=1).reshape(-1)

    def _of_classes(self, flat: Counts) -> Counts:
        if flat.shape != (self.dimension,):
            raise ValueError(f"sketch must have shape ({self.dimension},), got {flat.shape}.")
        return flat.reshape(self.num_classes, -1)

    @cached_property
    def _triangle(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.triu_indices(self.width)

    @cached_property
    def _scales(self) -> NDArray[np.float64]:
        rows, columns = self._triangle
        return np.where(rows == columns, float(DIAGONAL), float(OFF_DIAGONAL))


def compute_image_sketch(
    layout: ImageLayout, codes: NDArray[np.integer], num_pixels: int
) -> Counts:
    """Sum the second moments over the images of a site; exact, and private until noise is added.

    Args:
        layout: where the numbers lie.
        codes: one row per image, its pixels and then its class, ``(n, num_pixels + 1)``.
        num_pixels: numbers of an image.

    Returns:
        Shape ``(layout.dimension,)``, whole multiples of the grid of the Gaussian mechanism. One
        image more changes it by at most ``layout.sensitivity``.
    """
    sums = np.zeros((layout.num_classes, layout.width, layout.width))
    details = np.zeros((layout.num_classes, layout.details.size))
    for start in range(0, len(codes), _IMAGES_SUMMED):
        part = codes[start : start + _IMAGES_SUMMED]
        pixels, labels = part[:, :num_pixels], part[:, num_pixels]
        features, seen = compute_features(layout, pixels), compute_details(layout, pixels)
        for number in range(layout.num_classes):
            chosen = features[labels == number]
            sums[number] += chosen.T @ chosen  # exact: multiples of 2^-24, far below 2^53 of them
            details[number] += seen[labels == number].sum(axis=0)  # exact: multiples of 2^-12
    return layout.to_flat(sums, details)


def compute_features(layout: ImageLayout, pixels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return phi of each image, ``(n, width)``, cut to FRACTION_BITS bits towards zero.

    Each row depends on its own image alone, to the bit. Its norm is at most the root of CONSTANT^2
    + 1 without any rounding: its square is a multiple of 2^-24, and so no little above that.

    Args:
        layout: where the numbers lie.
        pixels: from 0 to 255, ``(n, num_pixels)``.
    """
    found = layout.frequencies.to_coefficients(pixels)
    phi = np.concatenate([np.full((len(found), 1), CONSTANT), found], axis=1)
    return _cut(phi)


def compute_details(layout: ImageLayout, pixels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the details of each image, ``(n, details.size)``, cut like phi.

    Each row depends on its own image alone, to the bit, and its norm is at most 1.

    Args:
        layout: where the numbers lie.
        pixels: from 0 to 255, ``(n, num_pixels)``.
    """
    return _cut(layout.details.count(pixels))


def _cut(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.trunc(values * 2**FRACTION_BITS) / 2**FRACTION_BITS)
