"""Raking: the weights of least information that give a distribution the margins it is asked for.

Iterative proportional fitting (Deming and Stephan 1940) multiplies what has a share by the share
it is to have over the share it has, margin after margin. Where it converges, no other distribution
with these margins is closer to the one it began with in relative entropy (Csiszar 1975). The
distribution here is the generator's own, cell by cell, and not a table of rows: the weights have no
error of sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from synthesis.drawing import LEAST_PROBABILITY
from synthesis.errors import InputError
from synthesis.mixing.grouping import Floats, Integers
from synthesis.mixing.margins import Margin

_CLOSE: Final = 1e-9
"""Total variation of every margin from its target at which the weights are done."""
_CLOSE_ENOUGH: Final = 1e-4
"""What is good enough where shares of zero make the way there endless."""
_PATIENCE: Final = 100
_MAX_ROUNDS: Final = 5000


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """A mixture of products as raking sees it, in groups of values.

    Attributes:
        weights: weight of every part of the mixture together with a class, ``(classes, parts)``.
        blocks: per block of columns that margins join, the probability of every combination of
            their groups, ``(classes, parts, combinations)``. Blocks are independent given part and
            class.
    """

    weights: Floats
    blocks: tuple[Floats, ...]

    def start(self) -> list[Floats]:
        """Return factors that change nothing."""
        return [np.ones((each.shape[0], each.shape[2])) for each in self.blocks]

    def masses(self, factors: Sequence[Floats]) -> list[Floats]:
        """Return by what each block scales the weight of a cell, ``(classes, parts)`` each."""
        return [
            np.einsum("cpg,cg->cp", block, factor)
            for block, factor in zip(self.blocks, factors, strict=True)
        ]

    def joint(self, factors: Sequence[Floats], masses: Sequence[Floats], number: int) -> Floats:
        """Return the weighted shares of class and combination in a block."""
        others = [mass for other, mass in enumerate(masses) if other != number]
        weights = prod(others, start=self.weights)
        found = np.einsum("cp,cpg->cg", weights, self.blocks[number])
        return np.asarray(found * factors[number])

    def efficiency(self, factors: Sequence[Floats]) -> float:
        """Return Kish's effective sample size of weighted rows, as a share of the rows.

        Reference: Kish 1965, section 11.7.
        """
        powers = ([each**power for each in factors] for power in range(3))
        zeroth, first, second = (
            prod(self.masses(each), start=self.weights).sum() for each in powers
        )
        return float(first**2 / second / zeroth)


@dataclass(frozen=True, kw_only=True, eq=False)
class Goal:
    """A margin, in the combinations of groups of a block.

    Attributes:
        margin: what was asked.
        block: number of the block.
        cells: which share every class and combination counts for, ``(classes, combinations)``.
        shares: what they are to be, adding to 1.
    """

    margin: Margin
    block: int
    cells: Integers
    shares: Floats

    def count_in(self, cells: Cells, factors: Sequence[Floats]) -> Floats:
        """Return the shares of a weighted distribution."""
        return self.count(cells.joint(factors, cells.masses(factors), self.block))

    def count(self, joint: Floats) -> Floats:
        """Return the shares that a block's joint shares give."""
        counted = np.bincount(self.cells.ravel(), joint.ravel(), len(self.shares))
        return np.asarray(counted / max(joint.sum(), 1e-300))


def rake(cells: Cells, goals: Sequence[Goal]) -> list[Floats]:
    """Return the factors of every block that give the cells all margins.

    Args:
        cells: the distribution to begin with.
        goals: the margins.

    Returns:
        Per block, ``(classes, combinations)``.

    Raises:
        InputError: if something is asked for that never occurs, or margins contradict each other.
    """
    factors = cells.start()
    for goal in goals:
        _check_possible(goal, goal.count_in(cells, factors))
    masses = cells.masses(factors)
    before = np.inf
    for round_ in range(_MAX_ROUNDS):
        away = np.zeros(len(goals))
        for number, goal in enumerate(goals):
            block = goal.block
            found = goal.count(cells.joint(factors, masses, block))
            away[number] = np.abs(found - goal.shares).sum() / 2
            _check_left(goals, goal, found)
            ratio = np.divide(goal.shares, found, out=np.zeros_like(found), where=goal.shares > 0)
            factors[block] = factors[block] * ratio[goal.cells]
            factors[block] /= factors[block].max()
            masses[block] = np.einsum("cpg,cg->cp", cells.blocks[block], factors[block])
        if away.max(initial=0.0) <= _CLOSE:
            return factors
        if round_ % _PATIENCE == _PATIENCE - 1:
            if away.max() > 0.99 * before:
                break
            before = away.max()
    if away.max() > _CLOSE_ENOUGH:
        worst = goals[int(away.argmax())]
        raise _contradiction(goals, worst, worst.count_in(cells, factors))
    return factors


def _check_possible(goal: Goal, found: Floats) -> None:
    lacking = np.flatnonzero((goal.shares > 0) & (found < LEAST_PROBABILITY))
    if len(lacking):
        cell = int(lacking[0])
        raise InputError(
            f"{goal.margin.wish}: {goal.margin.name}, {goal.margin.key(cell)} is to have a share "
            f"of {goal.shares[cell]:.4g}, and the generator (almost) never draws it "
            f"({found[cell]:.1e}, and at least {LEAST_PROBABILITY:.0e} is needed); ask for 0 there "
            "or leave it out.",
            argument=goal.margin.wish,
        )


def _come_to(wanted: float, found: float) -> str:
    """Return what a share comes to, where four digits tell it from what it should be."""
    if f"{found:.4g}" == f"{wanted:.4g}":
        return "together with all that is asked"
    return f"(it comes to {found:.4g} at best)"


def _check_left(goals: Sequence[Goal], goal: Goal, found: Floats) -> None:
    if ((goal.shares > 0) & (found <= 0)).any():
        raise _contradiction(goals, goal, found)


def _contradiction(goals: Sequence[Goal], goal: Goal, found: Floats) -> InputError:
    away = np.abs(found - goal.shares)
    away[-1] *= 0.5  # better name what is listed than what is not
    cell = int(away.argmax())
    columns = set(goal.margin.columns)
    near = [each.margin.name for each in goals if each is not goal]
    touching = [each.margin.name for each in goals if columns & set(each.margin.columns)]
    others = [name for name in touching if name != goal.margin.name] or near
    return InputError(
        f"{goal.margin.wish}: {goal.margin.name}, {goal.margin.key(cell)} is to have a share of "
        f"{goal.shares[cell]:.4g}, which the shares of {' and '.join(others)} do not allow "
        f"{_come_to(goal.shares[cell], found[cell])}; no table has all these margins, so change "
        "one of them.",
        argument=goal.margin.wish,
    )
