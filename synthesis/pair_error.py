"""The part of the sketch loss that pairs of features bring, laid out so that few products do it.

Features are taken in strips of neighbours. The moments of a strip with all its partners are one
matrix product per class, and what no pair measures in between has weight zero. So memory follows
the pairs that are measured and not the square of the encoded width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from synthesis.laid_targets import LaidTargets, Places
from synthesis.layout import SketchLayout
from synthesis.targets import SketchTargets

ONE_STRIP = 512
"""Groups of all features together up to which one strip holds them all."""
STRIP = 64
"""Groups of a strip otherwise, or of one feature if it has more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Strip:
    """Moments of some features with their partners.

    Attributes:
        features: first features of the pairs.
        partners: their second features.
        laid: what the sketch says of them, over the area ``(rows, partners)``.
    """

    features: list[int]
    partners: list[int]
    laid: LaidTargets

    def __call__(self, label: Tensor, grouped: Sequence[Tensor]) -> Tensor:
        """Return the error for ``label``, ``(members, classes, parts, 1)``, and grouped columns.

        Columns are ``(members, classes or 1, parts, groups)``.
        """
        rows = _side_by_side([grouped[feature] for feature in self.features])
        partners = _side_by_side([grouped[feature] for feature in self.partners])
        moments = (label * rows).transpose(2, 3) @ partners
        return self.laid.compute_error(moments)


class PairError:
    """Weighted squared error of all pair blocks, summed over members."""

    def __init__(
        self, targets: Sequence[SketchTargets], *, device: torch.device | None = None
    ) -> None:
        layout = targets[0].layout
        self._members = len(targets)
        self._strips = [_make_strip(targets, features, device) for features in _cut_strips(layout)]

    def __call__(self, label: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Return the error, a scalar with its graph.

        Args:
            label: weight of every part with a class, ``(members, parts of a member, classes)``.
            pooled: probabilities of the groups of every feature, ``(classes or 1, parts, groups)``.
        """
        weighed = label.mT[..., None]
        grouped = [self._split(columns) for columns in pooled]
        error = label.new_zeros(())
        if len(self._strips) == 1:
            return error + self._strips[0](weighed, grouped)
        for (
            strip
        ) in self._strips:  # forget what a strip computes, and compute it again for its slope
            error = error + checkpoint(strip, weighed, grouped, use_reentrant=False)
        return error

    def _split(self, columns: Tensor) -> Tensor:
        """Return ``(members, classes or 1, parts of a member, groups)``."""
        members: Tensor = columns.unflatten(1, (self._members, -1))
        return members.transpose(0, 1)


def _side_by_side(columns: Sequence[Tensor]) -> Tensor:
    """Put columns beside each other; where one differs between classes, all are given for each."""
    classes = max(column.shape[1] for column in columns)
    return torch.cat([column.expand(-1, classes, -1, -1) for column in columns], dim=3)


def _cut_strips(layout: SketchLayout) -> list[list[int]]:
    """Return the features that are first in a pair, in order, as many together as a strip holds."""
    limit = ONE_STRIP if sum(layout.group_sizes) <= ONE_STRIP else STRIP
    strips: list[list[int]] = []
    width = limit
    for feature in sorted({first for first, _ in layout.pairs}):
        width += layout.group_sizes[feature]
        if width > limit:
            strips.append([])
            width = layout.group_sizes[feature]
        strips[-1].append(feature)
    return strips


def _make_strip(
    targets: Sequence[SketchTargets], features: list[int], device: torch.device | None
) -> _Strip:
    layout = targets[0].layout
    inside = set(features)
    pairs = [pair for pair in layout.pairs if pair[0] in inside]
    partners = sorted({second for _, second in pairs})
    rows, columns = _place(layout, features), _place(layout, partners)
    area = (rows[features[-1]].stop, columns[partners[-1]].stop)
    places: Places = {(first, second): (rows[first], columns[second]) for first, second in pairs}
    laid = LaidTargets.lay(targets, places, area, device)
    return _Strip(features=features, partners=partners, laid=laid)


def _place(layout: SketchLayout, features: list[int]) -> dict[int, slice]:
    """Return where the groups of every feature lie when these features stand side by side."""
    ends = np.cumsum([layout.group_sizes[feature] for feature in features]).tolist()
    starts = [0, *ends[:-1]]
    return {f: slice(a, b) for f, a, b in zip(features, starts, ends, strict=True)}
