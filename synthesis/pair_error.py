"""The part of the sketch loss that pairs of features bring, laid out so that few products do it.

Features are taken in strips of neighbours. The moments of a strip with all its partners are one
matrix product per class, and what no pair measures in between has weight zero. So memory follows
the pairs that are measured and not the square of the encoded width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.utils.checkpoint import checkpoint

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
        targets: noisy shares given the label, ``(members, classes, rows, partners)``, and over all
            labels, ``(members, 1, rows, partners)``; zero where there is no pair.
        weights: without the members, zero where there is no pair.
    """

    features: list[int]
    partners: list[int]
    targets: tuple[Tensor, Tensor]
    weights: tuple[Tensor, Tensor]

    def __call__(self, label: Tensor, grouped: Sequence[Tensor]) -> Tensor:
        """Return the error for ``label``, ``(members, classes, parts, 1)``, and grouped columns.

        Columns are ``(members, classes or 1, parts, groups)``.
        """
        rows = _side_by_side([grouped[feature] for feature in self.features])
        partners = _side_by_side([grouped[feature] for feature in self.partners])
        moments = (label * rows).transpose(2, 3) @ partners
        error: Tensor = _WeighedError.apply(moments, *self.targets, *self.weights)  # type: ignore[no-untyped-call]
        return error


class _WeighedError(torch.autograd.Function):
    """Squared error of moments given the label and of their sum over classes.

    The gradient is made at once, so that nothing else of the size of the moments is kept for it.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        moments: Tensor,
        given: Tensor,
        overall: Tensor,
        given_weights: Tensor,
        overall_weights: Tensor,
    ) -> Tensor:
        gaps = moments - given
        slopes = given_weights * gaps
        error = (slopes * gaps).sum()
        gaps = moments.sum(1, keepdim=True) - overall
        weighed = overall_weights * gaps
        error += (weighed * gaps).sum()
        ctx.save_for_backward(slopes.add_(weighed).mul_(2))
        return error

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return outer[0] * slopes, None, None, None, None


class PairError:
    """Weighted squared error of all pair blocks, summed over members."""

    def __init__(
        self, targets: Sequence[SketchTargets], *, device: torch.device | None = None
    ) -> None:
        layout = targets[0].layout
        self._members = len(targets)
        self._pools = [
            _pooling_matrix(groups).to(device) if len(groups) > size else None
            for groups, size in zip(layout.groups, layout.group_sizes, strict=True)
        ]
        self._strips = [_make_strip(targets, features, device) for features in _cut_strips(layout)]

    def __call__(self, label: Tensor, fine: Sequence[Tensor]) -> Tensor:
        """Return the error, a scalar with its graph.

        Args:
            label: probabilities of the classes, ``(parts, classes)``.
            fine: probabilities of the codes of every feature, ``(parts, codes)`` or
                ``(classes, parts, codes)``.
        """
        weighed = label.unflatten(0, (self._members, -1)).transpose(1, 2)[..., None]
        weighed = weighed / weighed.shape[2]  # (members, classes, parts, 1)
        grouped = [
            self._split(columns if pool is None else columns @ pool)
            for columns, pool in zip(fine, self._pools, strict=True)
        ]
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
        given = columns if columns.ndim == 3 else columns[None]
        members: Tensor = given.unflatten(1, (self._members, -1))
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
    counts = (layout.num_classes, 1)
    laid = [np.zeros((len(targets), classes, *area), np.float32) for classes in counts]
    weights = [np.zeros((classes, *area), np.float32) for classes in counts]
    for number, block in enumerate(layout.blocks):
        if len(block.features) == 2 and block.features[0] in inside:
            first, second = block.features
            place = (slice(None), rows[first], columns[second])
            kind = 0 if block.is_given_label else 1
            weights[kind][place] = targets[0].weights[number]
            for told, each in zip(laid[kind], targets, strict=True):
                told[place] = each.blocks[number]
    to = [torch.from_numpy(values).to(device) for values in (*laid, *weights)]
    return _Strip(
        features=features, partners=partners, targets=(to[0], to[1]), weights=(to[2], to[3])
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
