"""How much stands behind every count of a pooled sketch, where some sites lack columns.

A site without a column tells nothing of it. What the others tell is scaled, class by class, to the
rows of all sites: so what is known of a pair of columns are its shares given the label among the
rows of those that have both. A pair that no site has together is not known at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synthesis.layout import Block, Counts, SketchLayout

Floats = NDArray[np.float64]

LARGEST_FACTOR = 1e6
"""Most by which a count may be noisier, or of fewer rows, than one that all sites tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """What a sketch knows, per block, ``(classes,)``, or ``(1,)`` over all labels.

    Attributes:
        noise: standard deviation of the noise, relative to that of the sketch, > 0.
        rows: share of the rows that is told of, in (0, 1]; 0 in a block that no site tells.
    """

    noise: tuple[Floats, ...]
    rows: tuple[Floats, ...]

    @classmethod
    def of_site(cls, layout: SketchLayout) -> Self:
        """Return what one site tells: all but blocks of columns that it lacks."""
        sizes = [(block.shape[0], float(layout.is_told(block))) for block in layout.blocks]
        return cls(
            noise=tuple(np.ones(size) for size, _ in sizes),
            rows=tuple(np.full(size, told) for size, told in sizes),
        )

    @classmethod
    def from_vector(cls, layout: SketchLayout, vector: NDArray[np.floating]) -> Self:
        """Return what ``to_vector`` gave.

        Raises:
            ValueError: if it has another length, or a number is out of range.
        """
        size = coverage_size(layout)
        if vector.shape != (size,):
            raise ValueError(f"coverage must have shape ({size},), got {vector.shape}.")
        noise, rows = vector.astype(np.float64).reshape(2, -1)
        least = 1 / LARGEST_FACTOR
        if not ((noise >= least) & (noise <= LARGEST_FACTOR)).all():
            raise ValueError(f"noise must be between {least:g} and {LARGEST_FACTOR:g}.")
        if not ((rows == 0) | ((rows >= least) & (rows <= 1))).all():
            raise ValueError("rows must be shares, in [0, 1].")
        ends = np.cumsum([block.shape[0] for block in layout.blocks])[:-1]
        found = cls(noise=tuple(np.split(noise, ends)), rows=tuple(np.split(rows, ends)))
        return found

    def to_vector(self) -> Floats:
        """Return all numbers in one vector, the noise first."""
        return np.concatenate([*self.noise, *self.rows])

    @cached_property
    def precisions(self) -> tuple[Floats, ...]:
        """Per block and class, how much more precise a count is than one of the sketch, or 0."""
        return tuple(
            np.where(rows > 0, 1 / np.square(noise), 0.0)
            for noise, rows in zip(self.noise, self.rows, strict=True)
        )

    @cached_property
    def told(self) -> tuple[bool, ...]:
        """Per block, whether anybody tells of it."""
        return tuple(bool((rows > 0).all()) for rows in self.rows)

    def find_untold(self, layout: SketchLayout) -> tuple[int, ...]:
        """Return the features that no block tells of."""
        told = {
            feature
            for block, is_told in zip(layout.blocks, self.told, strict=True)
            if is_told
            for feature in block.features
        }
        return tuple(feature for feature in range(len(layout.groups)) if feature not in told)

    def find_apart(self, layout: SketchLayout) -> tuple[tuple[int, int], ...]:
        """Return the pairs of the layout of which no site has both features."""
        return tuple(
            (block.features[0], block.features[1])
            for block, is_told in zip(layout.blocks, self.told, strict=True)
            if len(block.features) == 2 and block.is_given_label and not is_told
        )


def coverage_of(layout: SketchLayout, vector: NDArray[np.floating] | None) -> Coverage:
    """Return the coverage that a vector tells; that of all that the layout has without one.

    Raises:
        ValueError: if it is not one that ``Coverage.to_vector`` gave.
    """
    return Coverage.of_site(layout) if vector is None else Coverage.from_vector(layout, vector)


def coverage_size(layout: SketchLayout) -> int:
    """Return the length of the vector that tells a sketch's coverage."""
    return 2 * sum(block.shape[0] for block in layout.blocks)


def spread(values: Floats, block: Block) -> Floats:
    """Give numbers per class the form in which they meet the counts of a block."""
    return values.reshape(-1, *[1] * len(block.features))


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """The sketch of sites that lack the same columns.

    Attributes:
        told: which blocks they tell.
        counts: noisy, ``(layout.dimension,)``; 0 where they tell nothing.
        variance: of the noise in an entry, in any unit, > 0.
        classes: their units per class, ``(classes,)``, estimated; in equal parts where shares are
            to be those of the units that are told of, whatever their labels.
        class_std: standard error of each of these.
    """

    told: Sequence[bool]
    counts: Counts
    variance: float
    classes: Floats
    class_std: float


def combine_told(layout: SketchLayout, several: Sequence[Told]) -> tuple[Counts, Coverage]:
    """Make one sketch of those of sites that lack different columns.

    A block that all tell is the sum. Of one that some tell, each class is scaled to the units that
    all have in it. Its sum over classes, told once more with less noise, then counts some classes
    more than others: what that changes is added as those classes tell it.

    Args:
        layout: of all columns.
        several: what is told, at least one.

    Returns:
        Counts, ``(layout.dimension,)``, and their coverage, whose noise is relative to the root of
        all variances together.
    """
    parts = [list(layout.split(each.counts)) for each in several]
    place = {(b.features, b.is_given_label): n for n, b in enumerate(layout.blocks)}
    blocks: list[Counts] = [np.zeros(block.shape) for block in layout.blocks]
    noise = [np.ones(block.shape[0]) for block in layout.blocks]
    rows = [np.zeros(block.shape[0]) for block in layout.blocks]
    variance = sum(each.variance for each in several)
    for number, block in enumerate(layout.blocks):
        telling = [n for n, each in enumerate(several) if each.told[number]]
        if not block.is_given_label or not telling:
            continue
        factors, factor = _find_factors(several, telling)
        part = (sum(several[n].variance for n in telling) / variance) ** 0.5
        given = sum((parts[n][number] for n in telling), np.zeros(block.shape))
        blocks[number] = given * spread(factors, block)
        noise[number], rows[number] = part * factors, 1 / factors
        overall = place[block.features, False]
        more = spread(factors - factor, block)
        summed = sum((parts[n][overall] for n in telling), np.zeros(layout.blocks[overall].shape))
        blocks[overall] = factor * summed + (more * given).sum(0, keepdims=True)
        strength = (factor**2 + np.square(more).sum()) ** 0.5
        noise[overall], rows[overall] = np.array([part * strength]), np.array([1 / factor])
    flat = [
        block.scale * counts.ravel() for block, counts in zip(layout.blocks, blocks, strict=True)
    ]
    most = LARGEST_FACTOR / 2  # so that rounding on the wire passes no bound
    bounded = tuple(np.clip(each, 1 / most, most) for each in noise)
    return np.concatenate(flat), Coverage(noise=bounded, rows=tuple(rows))


def _find_factors(several: Sequence[Told], telling: Sequence[int]) -> tuple[Floats, float]:
    """Return how many times as many units all have as those that tell, per class and in all."""
    if len(telling) == len(several):
        return np.ones(len(several[0].classes)), 1.0
    whole = sum(np.maximum(each.classes, 0.0) for each in several)
    known = sum(np.maximum(several[n].classes, 0.0) for n in telling)
    # Of a class lost in noise nothing is known but that, which its factor makes much of.
    least = max(1.0, 2 * sum(several[n].class_std ** 2 for n in telling) ** 0.5)
    factors = np.clip(whole / np.maximum(known, least), 1.0, LARGEST_FACTOR / 10)
    factor = float(
        np.clip(np.sum(whole) / max(float(np.sum(known)), least), 1.0, LARGEST_FACTOR / 10)
    )
    return factors, factor
