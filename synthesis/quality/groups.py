"""Whom a synthetic table serves less: its quality within groups of rows that share a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from synthesis.quality.marginals import marginal_distance
from synthesis.quality.prediction import Predictions
from synthesis.quality.values import read_codes
from synthesis.schema import Categorical, Schema

MOST_COLUMNS: Final = 2
FEWEST_LEVELS, MOST_LEVELS = 2, 6
FEWEST_ROWS: Final = 50
"""Test rows below which a figure about a group would be chance."""


@dataclass(frozen=True, kw_only=True)
class GroupQuality:
    """How a table does for real rows with one value of a column.

    Attributes:
        column: name of the column.
        level: the value.
        test_rows: test rows with this value; below 50 nothing else is said.
        auc: of the model that learned from the table, on these test rows; None if they are of one
            class or too few.
        real_auc: the same of the model that learned from real rows.
        two_way: mean two-way distance to real training rows, among rows with this value; None
            where a table has none.
        real_two_way: the same of the real test rows with this value: what chance alone makes of a
            distance among so few.
    """

    column: str
    level: str
    test_rows: int
    auc: float | None = None
    real_auc: float | None = None
    two_way: float | None = None
    real_two_way: float | None = None


def choose_group_columns(schema: Schema) -> tuple[str, ...]:
    """Return up to two categorical columns to look into; public, whatever the rows.

    They are those with the fewest levels, from 2 to 6, and of equal ones the first in the schema;
    never the label.
    """
    fitting = [
        column
        for column in schema.columns
        if isinstance(column, Categorical)
        and column.name != schema.label
        and FEWEST_LEVELS <= len(column.levels) <= MOST_LEVELS
    ]
    return tuple(c.name for c in sorted(fitting, key=lambda c: len(c.levels))[:MOST_COLUMNS])


def score_groups(
    schema: Schema,
    synthetic: pd.DataFrame,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    boosting: Predictions,
    real_boosting: Predictions,
) -> tuple[GroupQuality, ...]:
    """Return the quality of a table within every group; no model is trained for it.

    Args:
        schema: public description of all three tables.
        synthetic: the table to judge.
        train: real rows it should resemble.
        test: real rows that nothing was trained on.
        boosting: what a model that learned from `synthetic` says of `test`.
        real_boosting: what a model that learned from `train` says of `test`.

    Raises:
        InputError: a table breaks the schema.
    """
    return tuple(_score(schema, synthetic, train, test, boosting, real_boosting))


def _score(
    schema: Schema,
    synthetic: pd.DataFrame,
    train: pd.DataFrame,
    test: pd.DataFrame,
    boosting: Predictions,
    real_boosting: Predictions,
) -> Iterator[GroupQuality]:
    for name in choose_group_columns(schema):
        column = schema.column(name)
        assert isinstance(column, Categorical)  # it was chosen among these
        codes = [read_codes(column, table[name]) for table in (synthetic, train, test)]
        for code, level in enumerate(column.levels):
            made, learned, tested = (each == code for each in codes)
            group = GroupQuality(column=name, level=level, test_rows=int(tested.sum()))
            if group.test_rows < FEWEST_ROWS:
                yield group
                continue
            distances: list[float | None] = [
                marginal_distance(schema, rows, train[learned], 2)
                if len(rows) and np.any(learned)
                else None
                for rows in (synthetic[made], test[tested])
            ]
            yield replace(
                group,
                auc=boosting.score(tested).auc,
                real_auc=real_boosting.score(tested).auc,
                two_way=distances[0],
                real_two_way=distances[1],
            )
