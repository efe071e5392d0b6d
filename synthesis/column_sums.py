"""The sums over parts and codes that a sketch and the price of dependence ask of every column.

A column that differs between classes is a product: with the logits of its part and the base of the
class, a probability is ``own[part] * factor[class] / total[class, part]``. So a sum over codes or
parts is a matrix product of ``own`` with something small, and nothing of the size classes x parts x
codes is ever made, neither for the sums nor for their slopes. A total is at least the least factor,
which is held at e^-80, so that no weights make it 0; a fit starts from e^-14 (``LEAST_SHARE``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from synthesis.columns import Column, GivenColumn, PlainColumn

TINY = 1e-7
_LEAST_LOG = -80.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnSums:
    """What a mixture says of its features.

    Attributes:
        pooled: per feature, the probabilities of its groups of codes,
            ``(classes or 1, parts, groups)``.
        joint: shares of every class with the codes of all features, side by side,
            ``(members, classes, codes)``.
        negative_entropy: sum of p log p over the codes of all features, ``(parts, classes)``.
    """

    pooled: list[Tensor]
    joint: Tensor
    negative_entropy: Tensor

    @classmethod
    def of(
        cls, columns: Sequence[Column], label: Tensor, pools: Sequence[Tensor | None]
    ) -> ColumnSums:
        """Add up the columns of the features.

        Args:
            columns: one per feature.
            label: weight of every part with a class, ``(members, parts of a member, classes)``.
            pools: per feature the 0/1 matrix that adds up the codes of a group,
                ``(codes, groups)``; None where every code is a group.
        """
        pooled, joints = [], []
        entropy = label.new_zeros(())
        for column, pool in zip(columns, pools, strict=True):
            if isinstance(column, PlainColumn):
                sums = _add_up_plain(column, label, pool)
            else:
                sums = _add_up_given(column, label, pool)
            pooled.append(sums[0].transpose(0, 1))
            joints.append(sums[1])
            entropy = entropy + sums[2]
        return cls(pooled=pooled, joint=torch.cat(joints, 2), negative_entropy=entropy)


Sums = tuple[Tensor, Tensor, Tensor]
"""Pooled probabilities ``(parts, classes or 1, groups)``, joint shares and negative entropy."""


def _add_up_plain(column: PlainColumn, label: Tensor, pool: Tensor | None) -> Sums:
    fine = column.probabilities
    pooled = fine if pool is None else fine @ pool
    joint = label.mT @ fine.unflatten(0, label.shape[:2])
    return pooled[:, None], joint, (fine * torch.log(fine + TINY)).sum(1, keepdim=True)


def _add_up_given(column: GivenColumn, label: Tensor, pool: Tensor | None) -> Sums:
    if pool is None:
        pool = torch.eye(column.logits.shape[1]).to(label)
    sums: Sums = _GivenSums.apply(column.logits, column.base, pool, label)  # type: ignore[no-untyped-call]
    return sums


class _GivenSums(torch.autograd.Function):
    """Sums of a column that differs between classes.

    Takes logits, base, pooling matrix and label; returns ``Sums``.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: Tensor, base: Tensor, pooling: Tensor, label: Tensor
    ) -> Sums:
        groups, classes, _ = base.shape
        highest = base.amax(1, keepdim=True)
        logs = (base - highest).clamp_(min=_LEAST_LOG)
        factors = logs.exp()  # (groups, classes, codes), at most 1
        own = logits.unflatten(0, (groups, -1)) + highest
        own -= own.amax(2, keepdim=True)
        exps = own.exp()  # (groups, parts, codes), at most 1
        tilted = own.mul_(exps)

        pooled_factors = (factors[:, :, None] * pooling.T).flatten(1, 2)
        weights = torch.cat([factors, factors * logs, pooled_factors], 1)
        sums = (exps @ weights.mT).flatten(0, 1)
        total, weighed, pooled = sums.tensor_split([classes, 2 * classes], 1)
        scale = 1 / total  # (parts, classes)
        mean_log = (weighed + (tilted @ factors.mT).flatten(0, 1)) * scale
        pooled = pooled.unflatten(1, (classes, -1)) * scale[..., None]

        blocks = math.lcm(len(label), groups)
        shares = (label.flatten(0, 1) * scale).unflatten(0, (blocks, -1))
        of_blocks = shares.mT @ exps.view(blocks, -1, exps.shape[2])
        joint = of_blocks.unflatten(0, (groups, -1)) * factors[:, None]
        joint = joint.view(len(label), -1, *joint.shape[2:]).sum(1)
        ctx.save_for_backward(
            label,
            pooling,
            logs,
            factors,
            exps,
            tilted,
            weights,
            scale,
            mean_log,
            pooled,
            shares,
            of_blocks,
        )
        return pooled, joint, mean_log - total.log()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_pooled: Tensor, by_joint: Tensor, by_entropy: Tensor
    ) -> tuple[Tensor | None, ...]:
        (
            label,
            pooling,
            logs,
            factors,
            exps,
            tilted,
            weights,
            scale,
            mean_log,
            pooled,
            shares,
            of_blocks,
        ) = ctx.saved_tensors
        groups, classes, codes = factors.shape
        blocks = len(shares)
        by_joint = by_joint.repeat_interleave(blocks // len(label), 0)
        slopes = (by_joint.unflatten(0, (groups, -1)) * factors[:, None]).flatten(0, 1)
        by_label = (exps.view(blocks, -1, codes) @ slopes.mT).flatten(0, 1) * scale

        # What a probability adds to the loss, less the mean over codes (softmax), in three terms.
        mean = (by_pooled * pooled).sum(2) + by_entropy * mean_log + by_label * label.flatten(0, 1)
        by_tilted = (by_entropy * scale).unflatten(0, (groups, -1))
        by_sums = torch.cat(
            [-mean * scale, by_entropy * scale, (by_pooled * scale[..., None]).flatten(1)], 1
        ).unflatten(0, (groups, -1))
        by_logits = (by_sums @ weights).view(blocks, -1, codes).baddbmm_(shares, slopes)
        by_logits = by_logits.view_as(exps).mul_(exps).addcmul_(tilted, by_tilted @ factors)

        by_weights = by_sums.mT @ exps
        plain, weighed, grouped = by_weights.tensor_split([classes, 2 * classes], 1)
        by_base = plain + weighed * logs + by_tilted.mT @ tilted
        by_base += (grouped.unflatten(1, (classes, -1)) * pooling.T).sum(2)
        by_base += (of_blocks * by_joint).unflatten(0, (groups, -1)).sum(1)
        return by_logits.flatten(0, 1), by_base * factors, None, by_label.view_as(label)
