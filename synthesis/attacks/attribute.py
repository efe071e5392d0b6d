"""Attribute inference: guess one cell of a known row from the rest and the synthetic rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.likeness import SHARPNESS, Likeness
from synthesis.attacks.records import Records
from synthesis.attacks.trial import Trial
from synthesis.schema import LevelColumn
from synthesis.units import Codes

FURTHER = 2
"""Columns that are guessed beside the label."""


def attack_attributes(records: Records, targets: Sequence[int]) -> list[Trial]:
    """Try to guess some columns of every row, given by their index; success is the exact code.

    Synthetic rows vote for their own value, the more the more alike they are in the other columns.
    What a column has to do with others can be guessed of anybody: only success beyond that on rows
    that nothing was trained on tells of the training rows.
    """
    targets = list(targets)
    members, _ = records.tried
    right, control = (_guess(records, rows, targets) == rows[:, targets] for rows in records.tried)
    shares = records.shares()
    trials = []
    for place, target in enumerate(targets):
        usual = int(np.argmax(shares[target]))
        trials.append(
            Trial.of_successes(
                "attribute",
                f"{records.schema.names[target]}, from the rest of the row",
                right[:, place],
                control[:, place],
                guessing=float(np.mean(members[:, target] == usual)),
            )
        )
    return trials


def choose_targets(records: Records) -> list[int]:
    """Return the label, then the columns of words that are hardest to guess without other columns.

    These are the columns whose commonest value is the rarest among synthetic rows, so the choice is
    public.
    """
    schema, shares = records.schema, records.shares()
    words = [
        index
        for index, column in enumerate(schema.columns)
        if isinstance(column, LevelColumn) and index != schema.label_index
    ]
    return [schema.label_index, *sorted(words, key=lambda i: shares[i].max())[:FURTHER]]


def _guess(records: Records, rows: Codes, targets: list[int]) -> NDArray[np.int64]:
    """Return the guessed codes of the target columns, ``(len(rows), len(targets))``."""
    likeness, table = Likeness(records.schema), records.compared
    guesses = np.empty((len(rows), len(targets)), dtype=np.int64)
    voters = [_one_hot(table[:, i], records.schema.sizes[i]) for i in targets]
    for part, distances in likeness.compare(rows, table):
        for place, target in enumerate(targets):
            rest = distances - likeness.column(target, rows[part], table)
            rest -= rest.min(axis=1, keepdims=True)
            rest *= -SHARPNESS
            votes = np.exp(rest, out=rest) @ voters[place]
            guesses[part, place] = votes.argmax(axis=1)
    return guesses


def _one_hot(codes: NDArray[np.int16], size: int) -> NDArray[np.float32]:
    levels = np.unique(codes)  # a column may have thousands of levels, of which few occur
    table = np.zeros((len(codes), size), dtype=np.float32)
    table[:, levels] = codes[:, None] == levels
    return table
