"""From wishes about the composition of rows to what draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from synthesis.conditions import parse_condition, restrict
from synthesis.drawing import LEAST_PROBABILITY
from synthesis.errors import InputError
from synthesis.mixing.grouping import Floats
from synthesis.mixing.layout import MarginLayout
from synthesis.mixing.margins import Margin
from synthesis.mixing.mixed_rows import Block, GroupedColumn, MixedRows, make_tables
from synthesis.mixing.raking import Cells, Goal, rake
from synthesis.mixing.wishes import balance_margin, close_balance, close_parity, parity_margin
from synthesis.schema import Schema
from synthesis.sharded_sample import ShardedSample

if TYPE_CHECKING:
    from synthesis.generator import Generator


_CLOSE = 1e-4
"""How far a group's share in the rows may be from what was asked."""
_MOST_TURNS = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Composition:
    """A generator whose rows have margins that were asked for.

    Attributes:
        rows: what draws them.
        goals: every margin that was asked for; balance and parity come last.
        before: per goal, the shares of its cells under the generator.
        efficiency: effective sample size of the generator's rows under the weights, as a share of
            them, in (0, 1]. It says how far the weights go; nothing is lost, for every row is drawn
            afresh.
        unequal: of the pair that is made independent, the shares of its cells without that.
    """

    rows: MixedRows
    goals: tuple[Goal, ...]
    before: tuple[Floats, ...]
    efficiency: float
    unequal: Floats | None

    @classmethod
    def of(
        cls,
        generator: Generator,
        schema: Schema,
        *,
        where: Sequence[str] = (),
        margins: Sequence[Margin] = (),
        balance: str | None = None,
        parity: tuple[str, str] | None = None,
    ) -> Self:
        """Weigh a generator.

        Args:
            generator: the generator.
            schema: its schema.
            where: conditions that every row meets.
            margins: what is asked of columns and of pairs of them.
            balance: a column whose levels are to have equal shares.
            parity: a group and an outcome that are to be independent; each keeps the shares that
                it has without that.

        Raises:
            InputError: if something is asked for that is unknown, never occurs, or contradicts the
                rest; the sentence names it.
        """
        plain = ShardedSample.of(generator, schema, 1, where=where)
        left = restrict(schema, [parse_condition(text) for text in where])
        asked = list(margins)
        if balance is not None:
            asked.append(balance_margin(schema, balance, margins))
        if parity is not None:
            asked.append(parity_margin(schema, parity))
        layout = MarginLayout.of(schema, left, asked)
        with torch.no_grad():
            columns = [each.double().numpy() for each in generator.mixture().columns]
        cells = layout.make_cells(columns, generator.settings.part_weights, left)
        goals, unequal = _close(layout, cells)
        factors = rake(cells, goals)
        return cls(
            rows=_make_rows(layout, cells, factors, columns, plain),
            goals=tuple(goals),
            before=tuple(goal.count_in(cells, cells.start()) for goal in goals),
            efficiency=cells.efficiency(factors),
            unequal=unequal,
        )


def hold_shares(generator: Generator, compose: Callable[[Generator], Composition]) -> Composition:
    """Return a composition in which the generator's groups keep their shares.

    Conditions and margins favour groups that meet them more often. So groups are weighed against
    that, as raking does it with any other margin, until their shares are what they were.

    Args:
        generator: with the shares that the rows are to have.
        compose: makes a composition of a generator.

    Raises:
        InputError: if a group that is to have a share has no row left, or the shares contradict
            what else is asked for.
    """
    groups = generator.settings.groups
    asked = weights = np.array([group.share for group in groups])
    for turn in range(_MOST_TURNS):
        try:
            composition = compose(generator)
        except InputError:
            if turn == 0:
                raise
            break  # weighed until nothing was left of a group
        found = composition.rows.share_out(len(groups))
        if np.abs(found - asked).max() <= _CLOSE:
            return composition
        for group, share in zip(groups, found.tolist(), strict=True):
            if group.share > 0 and share < LEAST_PROBABILITY:
                raise InputError(
                    f"mix: no row of {' and '.join(group.sites)} has what else is asked for; "
                    "give it no share or ask for less.",
                    argument="mix",
                )
        weights = weights * asked / np.where(asked > 0, found, 1.0)
        weights /= weights.sum()
        generator = generator.regrouped(
            [replace(g, share=share) for g, share in zip(groups, weights.tolist(), strict=True)]
        )
    raise InputError(
        "mix: the shares of sites contradict what else is asked for; ask for less.", argument="mix"
    )


def _close(layout: MarginLayout, cells: Cells) -> tuple[list[Goal], Floats | None]:
    """Return all goals, and what a pair that is made independent would be without that."""
    goals: list[Goal] = []
    unequal = None
    for margin in layout.margins:
        goal = layout.make_goal(margin)
        if margin.wish == "balance":
            found = goal.count_in(cells, cells.start())
            goal = layout.make_goal(close_balance(margin, found))
        elif margin.wish == "parity":
            unequal = goal.count_in(cells, rake(cells, goals))
            goal = layout.make_goal(close_parity(margin, unequal))
        goals.append(goal)
    return goals, unequal


def _make_rows(
    layout: MarginLayout,
    cells: Cells,
    factors: list[Floats],
    columns: Sequence[Floats],
    plain: ShardedSample,
) -> MixedRows:
    weights, tables = make_tables(cells, factors)
    blocks = tuple(
        Block(
            columns={
                index: GroupedColumn.of(layout.groupings[index], columns[index]) for index in block
            },
            table=table,
        )
        for block, table in zip(layout.blocks[1:], tables[1:], strict=True)
    )
    named = {index for block in layout.blocks for index in block}
    others = {
        index: table
        for index, table in enumerate(plain.tables.columns)
        if table is not None and index not in named
    }
    return MixedRows(
        schema=layout.schema,
        cells=np.cumsum(weights),
        last_cell=int(np.flatnonzero(weights)[-1]),
        blocks=blocks,
        others=others,
        cuts=plain.cuts,
        probability=plain.probability,
    )
