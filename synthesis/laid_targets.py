"""Blocks of the sketch laid out in one array, so that one pass gives the error of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from synthesis.targets import SketchTargets

Places = Mapping[tuple[int, ...], tuple[slice, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class LaidTargets:
    """Noisy shares of some blocks, and what lies between them with weight zero.

    Attributes:
        targets: shares given the label, ``(members, classes, *area)``, and over all labels,
            ``(members, 1, *area)``; zero where there is no block.
        weights: without the members, zero where there is no block.
    """

    targets: tuple[Tensor, Tensor]
    weights: tuple[Tensor, Tensor]

    @classmethod
    def lay(
        cls,
        targets: Sequence[SketchTargets],
        places: Places,
        area: tuple[int, ...],
        device: torch.device | None,
    ) -> LaidTargets:
        """Lay out the blocks of the features in ``places``, each where these say."""
        layout = targets[0].layout
        counts = (layout.num_classes, 1)
        laid = [np.zeros((len(targets), classes, *area), np.float32) for classes in counts]
        weights = [np.zeros((classes, *area), np.float32) for classes in counts]
        for number, block in enumerate(layout.blocks):
            if block.features in places:
                place = (slice(None), *places[block.features])
                kind = 0 if block.is_given_label else 1
                weights[kind][place] = targets[0].weights[number]
                for told, each in zip(laid[kind], targets, strict=True):
                    told[place] = each.blocks[number]
        to = [torch.from_numpy(values).to(device) for values in (*laid, *weights)]
        return cls(targets=(to[0], to[1]), weights=(to[2], to[3]))

    def compute_error(self, moments: Tensor) -> Tensor:
        """Return the weighted squared error of moments, ``(members, classes, *area)``; a scalar."""
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
