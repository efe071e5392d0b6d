"""The shape of a generator, and how its outputs become logits of codes, from the schema alone.

Most columns have one output per code. Where a column has more codes than the sketch tells in pairs
with others, one output would stand for one code that no pair says anything about. There the codes
of a *run* share a few *knots*: along an order the logits lie on straight lines between knots, in a
list without order the neighbours of one group move together. What is particular to a code, such as
a spike at 40 hours, stands beside it in the generator's base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synthesis.layout import MAX_GROUPS, MAX_PAIRED_LEVELS
from synthesis.schema import Column, NumberColumn, Ordinal, Schema

Shares = NDArray[np.float64]

MAX_GIVEN_LABEL = 4096
"""Codes times classes up to which the codes of a run lie differently in every class."""
MAX_BASES = 1 << 15
"""Numbers in all bases up to which any of them has a row for every class: beyond it, memory would
grow with classes times columns."""


LEAST = 1e-12
SHARES_TOLERANCE = 1e-6
_NUMBERS = ("num_members", "num_anchors", "latent_dim", "hidden")


@dataclass(frozen=True, kw_only=True)
class ColumnForm:
    """The form of one column.

    Attributes:
        size: codes of the column.
        start: first code of the run.
        stop: the code behind the run; ``start`` where there is none.
        knots: outputs for the run; 0 where there is none.
        is_ordered: whether logits between knots lie on straight lines.
        is_given_label: whether every class has a base of its own.
    """

    size: int
    start: int = 0
    stop: int = 0
    knots: int = 0
    is_ordered: bool = False
    is_given_label: bool = False

    @property
    def num_outputs(self) -> int:
        """Outputs of the network for this column."""
        return self.size - (self.stop - self.start) + self.knots

    def make_spread(self) -> NDArray[np.float32] | None:
        """Return the matrix from outputs to logits, ``(num_outputs, size)``; None for identity."""
        if not self.knots:
            return None
        length = self.stop - self.start
        spread = np.zeros((self.num_outputs, self.size), dtype=np.float32)
        spread[: self.start, : self.start] = np.eye(self.start)
        tail = self.size - self.stop
        spread[self.num_outputs - tail :, self.stop :] = np.eye(tail)
        run = spread[self.start : self.start + self.knots, self.start : self.stop]
        codes = np.arange(length)
        if self.is_ordered:
            place = codes * (self.knots - 1) / (length - 1)
            left = np.minimum(place.astype(np.int64), self.knots - 2)
            run[left, codes] = 1 - (place - left)
            run[left + 1, codes] = place - left
        else:
            run[codes * self.knots // length, codes] = 1
        return spread

    def share_out(self, told: Shares, overall: Shares) -> Shares:
        """Give the codes of each knot the overall share together, and every class its own order.

        So a class starts with no other share of a knot's codes than the rest, only with other ones
        among them, such as a gain that is always above a bound.

        Args:
            told: shares of the codes given the class, ``(classes, codes)``.
            overall: shares over all classes, ``(codes,)``.
        """
        knot = np.arange(self.size)
        length = self.stop - self.start
        inside = slice(self.start, self.stop)
        knot[inside] = self.start + np.arange(length) * self.knots // length
        knot[self.stop :] -= length - self.knots
        summed = np.bincount(knot, overall)[knot]
        given = np.stack([np.bincount(knot, row) for row in told])[:, knot]
        is_known = given > LEAST
        of_all = np.divide(overall, summed, out=np.zeros_like(overall), where=summed > LEAST)
        within = np.divide(told, given, out=np.zeros_like(told), where=is_known)
        return np.asarray(np.where(is_known, within, of_all) * summed)


def form_of(column: Column, num_classes: int) -> ColumnForm:
    """Return the form of a feature column, for a label of so many classes."""
    is_ordered = isinstance(column, NumberColumn | Ordinal)
    masses = len(column.grid.masses) if isinstance(column, NumberColumn) else 0
    knots = max(2, MAX_GROUPS - masses - column.missing)
    length = column.size - masses - column.missing
    most = knots if is_ordered else MAX_PAIRED_LEVELS
    if length <= most:
        return ColumnForm(size=column.size)
    return ColumnForm(
        size=column.size,
        start=masses,
        stop=masses + length,
        knots=knots,
        is_ordered=is_ordered,
        is_given_label=num_classes * column.size <= MAX_GIVEN_LABEL,
    )


@dataclass(frozen=True, kw_only=True)
class SiteGroup:
    """Sites that are described together by members of their own.

    Attributes:
        share: of the rows, in [0, 1].
        sites: their names, where these are known.
    """

    share: float
    sites: tuple[str, ...] = ()


_ALL_TOGETHER = (SiteGroup(share=1.0),)


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """Public architecture of the generator; sites and coordinator must agree on it.

    Attributes:
        forms: per column, in the schema's order, how outputs become logits.
        label_index: which column is the label.
        num_members: networks whose mixture the generator is.
        num_anchors: latent codes of each.
        latent_dim: length of a latent code.
        hidden: width of the two hidden layers of each network.
        groups: of sites; each has as many members as any other, and a base of its own.
    """

    forms: tuple[ColumnForm, ...]
    label_index: int
    num_members: int = 8
    num_anchors: int = 128
    latent_dim: int = 64
    hidden: int = 128
    groups: tuple[SiteGroup, ...] = _ALL_TOGETHER

    @classmethod
    def for_schema(
        cls, schema: Schema, *, groups: Sequence[SiteGroup] = (), **numbers: int
    ) -> Self:
        """Return the settings for a schema; ``numbers`` are those that are not the default."""
        classes = schema.sizes[schema.label_index]
        forms = [
            ColumnForm(size=classes) if index == schema.label_index else form_of(column, classes)
            for index, column in enumerate(schema.columns)
        ]
        if sum(f.size * (classes if f.is_given_label else 1) for f in forms) > MAX_BASES:
            forms = [replace(form, is_given_label=False) for form in forms]
        return cls(
            forms=tuple(forms),
            label_index=schema.label_index,
            groups=tuple(groups) or _ALL_TOGETHER,
            **numbers,
        )

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be >= 1, got {value}.")
        if len(self.forms) < 2 or min(self.sizes) < 1:
            raise ValueError(f"forms must be at least two, of some codes each, got {self.forms}.")
        if not 0 <= self.label_index < len(self.forms):
            raise ValueError(f"label_index must be that of a column, got {self.label_index}.")
        shares = [group.share for group in self.groups]
        if not (shares and min(shares) >= 0 and abs(sum(shares) - 1) <= SHARES_TOLERANCE):
            raise ValueError(f"groups must have shares >= 0 that add to 1, got {shares}.")
        if self.num_members % len(shares):
            raise ValueError(
                f"groups must have members alike, got {self.num_members} for {len(shares)} groups."
            )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Codes of every column; their sum is the width of an encoded row."""
        return tuple(form.size for form in self.forms)

    @property
    def num_classes(self) -> int:
        """Levels of the label."""
        return self.forms[self.label_index].size

    @property
    def num_parts(self) -> int:
        """Latent codes of all members together: parts of the mixture."""
        return self.num_members * self.num_anchors

    @cached_property
    def part_weights(self) -> Shares:
        """Weight of each part, relative to an equal one, ``(num_parts,)``: the mean is 1."""
        of_groups = len(self.groups) * np.array([group.share for group in self.groups])
        return of_groups.repeat(self.num_parts // len(self.groups))

    @property
    def num_outputs(self) -> int:
        """Outputs of each network."""
        return sum(form.num_outputs for form in self.forms)

    @property
    def base_sizes(self) -> tuple[int, ...]:
        """Numbers in the base of every column, in every group."""
        return tuple(f.size * (self.num_classes if f.is_given_label else 1) for f in self.forms)

    @property
    def num_weights(self) -> int:
        """Numbers in the whole generator."""
        layers = pairwise((self.latent_dim, self.hidden, self.hidden, self.num_outputs))
        network = sum((inputs + 1) * outputs for inputs, outputs in layers)
        each = self.num_anchors * self.latent_dim + network
        return self.num_members * each + len(self.groups) * sum(self.base_sizes)

    def of_each_group(self) -> Self:
        """Return the settings of a generator of one of the groups."""
        return replace(self, num_members=self.num_members // len(self.groups), groups=_ALL_TOGETHER)

    def to_dict(self) -> dict[str, int]:
        """Return the numbers that the schema does not say, for ``generator.json``."""
        return {name: getattr(self, name) for name in _NUMBERS}
