"""What the low frequencies of an image do not say: edges, weave, and how bright it is where.

Means of what is not linear in an image tell much that second moments cannot, and are cheap to tell:
one number for each, not one for each two. An image is seen through filters, each answer loses its
sign, and what is left is averaged over cells, as in the first layer of a scattering network (Bruna
and Mallat 2013, "Invariant Scattering Convolution Networks"). Beside it stands how much of a cell
is brighter than a few levels. All of it is scaled to a norm of at most one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from synthesis.images.schema import ImageSchema

CELLS = 7
"""Cells on a side over which filters are averaged; levels are averaged over twice as many."""
WAVES = ((5, 3.0, 1.2), (9, 6.0, 2.4))
"""Oriented filters: side, wave length and width of the window, in pixels."""
DIRECTIONS = 6
LEVELS = (25, 75, 150, 215)
"""Middles of the ramps, of 50 steps of brightness each, that count what is brighter."""
_RAMP = 50
_TAPS = 2**10
"""Filters are whole numbers, a weight of one being so many."""
_WHOLE = 2**16
_USUAL = 0.55
"""Root mean square of a number, before it is scaled, up to which an image keeps its contrast."""
_LEAK = 0.3
_PART = 250


@dataclass(frozen=True, kw_only=True)
class _Bank:
    """Filters of one size.

    Attributes:
        kernels: whole numbers, ``(kernels, side, side)``.
        phases: kernels that make one filter; what counts is the root of the sum of their squares,
            and that of the first alone.
        gain: brings what different banks see to one size.
    """

    kernels: NDArray[np.float64]
    phases: int
    gain: float


@dataclass(frozen=True, kw_only=True)
class Details:
    """The details by which a collection is described, from its schema alone.

    Attributes:
        shape: channels, height and width of an image.
    """

    shape: tuple[int, int, int]

    @classmethod
    def of(cls, schema: ImageSchema) -> Details:
        """Return the details that a schema implies."""
        return cls(shape=schema.shape)

    @cached_property
    def size(self) -> int:
        """Numbers for each image."""
        return self._look(torch.zeros(1, *self.shape)).shape[1]

    @property
    def bound(self) -> float:
        """The norm that becomes 1; images above it lose contrast."""
        return _USUAL * math.sqrt(self.size)

    def split(self, details: Tensor) -> tuple[Tensor, Tensor]:
        """Return details ``(n, size)`` as maps ``(n, maps, cells)``: of filters, and of levels."""
        levels = self.shape[0] * len(LEVELS) * _count_cells(self.shape, 2 * CELLS)
        filtered, bright = details.tensor_split([self.size - levels], dim=1)
        maps = filtered.unflatten(1, (-1, _count_cells(self.shape, CELLS)))
        return maps, bright.unflatten(1, (-1, _count_cells(self.shape, 2 * CELLS)))

    def count(self, pixels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the details of images, ``(n, size)``, each row of norm at most 1 up to rounding.

        Each row depends on its own image alone, to the bit: filters and pixels are whole numbers,
        so sums of their products are exact in any order, as are those over cells.

        Args:
            pixels: from 0 to 255, ``(n, num_pixels)``.
        """
        parts = [np.zeros((0, self.size))]
        for start in range(0, len(pixels), _PART):
            part = torch.from_numpy(pixels[start : start + _PART].astype(np.float64))
            found = self._look(part.unflatten(1, self.shape)).numpy()
            whole = np.rint(found * (_WHOLE / self.bound))
            norms = np.sqrt(np.square(whole).sum(axis=1, keepdims=True))
            parts.append(whole / np.maximum(norms, _WHOLE))
        return np.concatenate(parts)

    def of_images(self, images: Tensor) -> Tensor:
        """Return the details ``(n, size)`` of images with values from 0 to 1.

        Up to rounding as ``count``; for networks, and never for a sketch, whose sums must be exact.
        """
        found = self._look(images * 255.0) / self.bound
        norms: Tensor = torch.linalg.vector_norm(found, dim=1, keepdim=True)
        kept = found / norms.clamp(min=1.0)
        # The gradient still points back to the bound from beyond it, or contrast would run away.
        beyond = found - kept
        return kept + _LEAK * (beyond - beyond.detach())

    def _look(self, pixels: Tensor) -> Tensor:
        """Return unscaled details of ``(n, channels, height, width)``, pixels from 0 to 255."""
        found = [
            self._average(strengths, CELLS) * (gain / (255 * _TAPS))
            for strengths, gain in self._filter(pixels)
        ]
        ramps = ((pixels - (level - _RAMP // 2)).clamp(0, _RAMP) for level in LEVELS)
        found += [self._average(ramp, 2 * CELLS) / _RAMP for ramp in ramps]
        return torch.cat(found, dim=1)

    def _filter(self, pixels: Tensor) -> Iterator[tuple[Tensor, float]]:
        """Return how strongly filters answer, ``(n, maps, height, width)``, and their gain."""
        planes = pixels.flatten(0, 1)[:, None]  # every channel by itself
        for bank in _BANKS:
            squares = _convolve(planes, torch.from_numpy(bank.kernels).to(pixels.dtype)).square()
            first = squares[:, :: bank.phases]
            both = [squares.unflatten(1, (-1, bank.phases)).sum(2)] if bank.phases > 1 else []
            strengths = (torch.cat([first, *both], dim=1) + 1.0).sqrt()
            if pixels.dtype == torch.float64:
                strengths = strengths.round()  # whole, as sums over cells must be exact
            yield strengths.unflatten(0, pixels.shape[:2]).flatten(1, 2), bank.gain

    def _average(self, values: Tensor, cells: int) -> Tensor:
        sides = _cell_sides(self.shape, cells)
        sums = functional.avg_pool2d(values, sides, ceil_mode=True, divisor_override=1)
        return sums.flatten(1) / math.prod(sides)


def _cell_sides(shape: tuple[int, int, int], cells: int) -> list[int]:
    return [math.ceil(side / cells) for side in shape[1:]]


def _count_cells(shape: tuple[int, int, int], cells: int) -> int:
    whole = zip(shape[1:], _cell_sides(shape, cells), strict=True)
    return math.prod(math.ceil(side / of_cell) for side, of_cell in whole)


def _convolve(planes: Tensor, kernels: Tensor) -> Tensor:
    """Return the answers of kernels ``(k, side, side)`` to planes ``(n, 1, height, width)``."""
    side = kernels.shape[-1]
    if planes.dtype != torch.float64:
        return functional.conv2d(planes, kernels[:, None], padding=side // 2)
    # A plain product of matrices, of which every sum is exact; a convolution may go other ways.
    patches = functional.unfold(planes, side, padding=side // 2)
    answers: Tensor = (kernels.flatten(1) @ patches).unflatten(2, planes.shape[2:])
    return answers


def _make_banks() -> Iterator[_Bank]:
    for side, wave, window in WAVES:
        places = np.arange(side) - side // 2
        down, across = places[:, None], places[None, :]
        bell = np.exp(-(down**2 + across**2) / (2 * window**2))
        kernels = []
        for number in range(DIRECTIONS):
            angle = math.pi * number / DIRECTIONS
            along = across * math.cos(angle) + down * math.sin(angle)
            for phase in (0.0, math.pi / 2):
                kernel = bell * np.cos(2 * math.pi * along / wave + phase)
                kernel -= bell * kernel.sum() / bell.sum()  # blind to brightness as such
                kernels.append(np.rint(_TAPS * kernel / np.abs(kernel).sum()))
        yield _Bank(kernels=np.stack(kernels), phases=2, gain=8.0)
    # Differences of neighbours, so that no pattern of single pixels goes unseen.
    differences = (
        [[0, 0, 0], [0, -1, 1], [0, 0, 0]],
        [[0, 0, 0], [0, -1, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 1, -1], [0, -1, 1]],
        [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
        [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
    )
    yield _Bank(kernels=np.array(differences, dtype=np.float64) * _TAPS, phases=1, gain=4.0)


_BANKS: Final = tuple(_make_banks())
