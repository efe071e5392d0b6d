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

from synthesis.layout import Groups, SketchLayout
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
        targets: noisy shares given the label, ``(classes, rows, partners)``, and over all labels,
            ``(1, rows, partners)``; zero where there is no pair.
        weights: the same shapes, zero where there is no pair.
    """

    features: list[int]
    partners: list[int]
    targets: tuple[Tensor, Tensor]
    weights: tuple[Tensor, Tensor]

    def __call__(self, label: Tensor, grouped: Sequence[Tensor]) -> Tensor:
        rows = torch.cat([grouped[feature] for feature in self.features], dim=1)
        partners = torch.cat([grouped[feature] for feature in self.partners], dim=1)
        given = torch.einsum("bc,bg->cgb", label, rows).flatten(0, 1)  # (classes*rows, batch)
        moments = (given @ partners / len(label)).view_as(self.targets[0])
        both = moments, moments.sum(0, keepdim=True)
        errors = [
            (weights * (moments - targets) ** 2).sum()
            for weights, moments, targets in zip(self.weights, both, self.targets, strict=True)
        ]
        return errors[0] + errors[1]


class PairError:
    """Weighted squared error of all pair blocks."""

    def __init__(self, targets: SketchTargets, *, device: torch.device | None = None) -> None:
        layout = targets.layout
        self._pools = [
            _pooling_matrix(groups).to(device) if len(groups) > size else None
            for groups, size in zip(layout.groups, layout.group_sizes, strict=True)
        ]
        self._strips = [_make_strip(targets, features, device) for features in _cut_strips(layout)]

    def __call__(self, label: Tensor, fine: Sequence[Tensor]) -> Tensor:
        """Return the error, a scalar with its graph.

        Args:
            label: probabilities of the classes, ``(batch, classes)``.
            fine: probabilities of the codes of every feature, ``(batch, codes)`` each.
        """
        grouped = [
            columns if pool is None else columns @ pool
            for columns, pool in zip(fine, self._pools, strict=True)
        ]
        error = label.new_zeros(())
        for strip in self._strips:
            error = error + strip(label, grouped)
        return error


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


def _make_strip(targets: SketchTargets, features: list[int], device: torch.device | None) -> _Strip:
    layout = targets.layout
    inside = set(features)
    pairs = [pair for pair in layout.pairs if pair[0] in inside]
    partners = sorted({second for _, second in pairs})
    rows, columns = _place(layout, features), _place(layout, partners)
    area = (rows[features[-1]].stop, columns[partners[-1]].stop)
    laid = [np.zeros((2, classes, *area), np.float32) for classes in (layout.num_classes, 1)]
    for block, shares, weights in zip(layout.blocks, targets.blocks, targets.weights, strict=True):
        if len(block.features) == 2 and block.features[0] in inside:
            first, second = block.features
            place = laid[0 if block.is_given_label else 1]
            place[:, :, rows[first], columns[second]] = shares, weights
    given, overall = (torch.from_numpy(values).to(device) for values in laid)
    return _Strip(
        features=features,
        partners=partners,
        targets=(given[0], overall[0]),
        weights=(given[1], overall[1]),
    )


def _place(layout: SketchLayout, features: list[int]) -> dict[int, slice]:
    """Return where the groups of every feature lie when these features stand side by side."""
    ends = np.cumsum([layout.group_sizes[feature] for feature in features]).tolist()
    starts = [0, *ends[:-1]]
    return {f: slice(a, b) for f, a, b in zip(features, starts, ends, strict=True)}


def _pooling_matrix(groups: Groups) -> Tensor:
    """Return the 0/1 matrix that adds up the codes of a group, ``(codes, groups)``."""
    pooling: Tensor = torch.nn.functional.one_hot(torch.from_numpy(groups)).float()
    return pooling
