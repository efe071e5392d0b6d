"""What the generator starts from: the shares of every column in every class, noise taken out.

Groups of codes are told by many blocks of the sketch, single codes by few. So a group's total is
shared out among its codes by halves: a half gets what the smooth run of the totals would give it,
and what the sketch says more than that as far as it stands out from the noise (positive-part
shrinkage after James and Stein 1961, in a tree as in Polya trees; Lavine 1992).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthesis.targets import Shares, SketchTargets

NOISE_ENERGY = 2.0
"""A deviation d is kept by 1 - NOISE_ENERGY * variance / d**2, if that is positive."""
LEAST = 1e-12


def make_starting_shares(targets: SketchTargets) -> tuple[Shares, ...]:
    """Return, per column in order, the shares of its codes given the class, ``(classes, codes)``.

    Those of the label are its own, ``(1, classes)``.
    """
    layout = targets.layout
    shares = [_feature_shares(targets, feature) for feature in range(len(layout.groups))]
    shares.insert(layout.label_index, targets.class_shares[None])
    return tuple(shares)


def _feature_shares(targets: SketchTargets, feature: int) -> Shares:
    grouped = np.maximum(targets.one_way[feature], 0.0)  # (classes, groups)
    groups = targets.layout.groups[feature]
    told = {
        block.is_given_label: (shares, variance.ravel())
        for block, shares, variance in zip(
            targets.layout.blocks, targets.blocks, targets.noise_variances, strict=True
        )
        if block.features == (feature,)
    }
    joint = grouped[:, groups]
    if told and len(groups) > grouped.shape[1]:
        joint = _refine(grouped, groups, told[True], told[False])
    sums = joint.sum(1, keepdims=True)
    overall = joint.sum(0, keepdims=True) / max(float(joint.sum()), LEAST)
    empty = sums <= LEAST  # a class of which nothing is known looks like the rest
    return np.asarray(np.where(empty, overall, joint / np.maximum(sums, LEAST)))


def _refine(
    grouped: Shares,
    groups: NDArray[np.int64],
    given: tuple[Shares, Shares],
    overall: tuple[Shares, Shares],
) -> Shares:
    """Share every group out among its codes, first over all classes and then within each."""
    (given_shares, given_variance), (shares, variance) = given, overall
    classes = len(given_shares)
    # The sum over classes is told twice; every class takes its part of the correction.
    summed, of_sum = given_shares.sum(0), given_variance.sum()
    share = of_sum / (of_sum + variance[0])
    total = summed + share * (shares[0] - summed)
    corrected = given_shares + (total - summed) / classes
    smooth = _interpolate(groups, grouped.sum(0))
    refined = np.empty((classes, len(groups)))
    for group in range(grouped.shape[1]):
        codes = np.flatnonzero(groups == group)
        together = _share_by_halves(
            total[None, codes],
            smooth[None, codes],
            grouped[:, group].sum(keepdims=True),
            np.array([(1 - share) * of_sum]),
        )
        floor = 1e-3 * together.mean() + LEAST
        refined[:, codes] = _share_by_halves(
            corrected[:, codes],
            np.maximum(together, floor).repeat(classes, axis=0),
            grouped[:, group],
            given_variance,
        )
    return refined


def _share_by_halves(told: Shares, prior: Shares, totals: Shares, variance: Shares) -> Shares:
    """Share totals out among codes.

    Args:
        told: noisy shares of the codes, ``(classes, codes)``.
        prior: positive numbers in proportion to what is expected, same shape.
        totals: what the codes have together, ``(classes,)``.
        variance: of the noise in each of ``told``, ``(classes,)``.
    """
    length = told.shape[1]
    if length == 1:
        return totals[:, None]
    half = length // 2
    expected = totals * prior[:, :half].sum(1) / prior.sum(1)
    # Left is told by its own codes, and by what the right ones leave of the total.
    by_left, by_right = told[:, :half].sum(1), totals - told[:, half:].sum(1)
    left_variance, right_variance = variance * half, variance * (length - half)
    precision = 1 / left_variance + 1 / right_variance
    left = (by_left / left_variance + by_right / right_variance) / precision
    deviation = left - expected
    energy = np.maximum(np.square(deviation), 1e-300)
    kept = np.maximum(0.0, 1 - NOISE_ENERGY / precision / energy)
    left = np.clip(expected + kept * deviation, 0.0, totals)
    halves = (
        _share_by_halves(told[:, :half], prior[:, :half], left, variance),
        _share_by_halves(told[:, half:], prior[:, half:], totals - left, variance),
    )
    return np.concatenate(halves, axis=1)


def _interpolate(groups: NDArray[np.int64], totals: Shares) -> Shares:
    """Return the density of every code, on straight lines in the logarithm between groups.

    Groups of one code stand for themselves and bend no line.
    """
    widths = np.bincount(groups)
    wide = np.flatnonzero(widths > 1)
    density = np.log(np.maximum(totals, 1e-4) / widths)
    codes = np.arange(len(groups))
    centres = np.bincount(groups, codes) / widths
    return np.exp(np.interp(codes, centres[wide], density[wide]))
