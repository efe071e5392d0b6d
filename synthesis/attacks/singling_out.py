"""Singling out: does what is rare among synthetic rows hold for exactly one real row?

A predicate that holds for one of many rows is found by chance too (Cohen and Nissim 2020), so what
counts is how much oftener it isolates a training row than a row that nothing was trained on, among
as many of each (as in Giomi et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.records import Records
from synthesis.attacks.trial import Trial
from synthesis.units import Codes

PREDICATES = 1_000
"""Most predicates of each form that are tried."""
_RARE = 0.5, 1.5
"""What counts as about one row."""

Predicate: TypeAlias = Sequence[tuple[int, int]]
"""Columns and the code that each must have."""


def attack_by_singling_out(records: Records, rng: np.random.Generator) -> list[Trial]:
    """Try predicates on single values and on combinations; nothing where there is none.

    Each is so rare in the synthetic table that it should hold for one of as many rows as are tried.

    Args:
        records: the rows.
        rng: draws which predicates are tried.
    """
    one_row = len(records.synthetic) / len(records.members)
    forms = {
        "a value as rare as one row": find_rare_values(records.synthetic, one_row, rng),
        "values together as rare as one row": find_combinations(records.synthetic, one_row, rng),
    }
    members, others = (np.asfortranarray(each) for each in (records.members, records.others))
    return [
        Trial.of_successes(
            "singling-out", name, isolate(predicates, members), isolate(predicates, others)
        )
        for name, predicates in forms.items()
        if predicates
    ]


def find_rare_values(synthetic: Codes, one_row: float, rng: np.random.Generator) -> list[Predicate]:
    """Return predicates on one column that hold for about so many synthetic rows.

    Args:
        synthetic: the synthetic rows.
        one_row: synthetic rows for each row that is tried, > 0.
        rng: draws which predicates are returned, if there are more than ``PREDICATES``.
    """
    found: list[Predicate] = []
    for index in range(synthetic.shape[1]):
        codes, counts = np.unique(synthetic[:, index], return_counts=True)
        is_rare = (counts >= _RARE[0] * one_row) & (counts <= max(1, _RARE[1] * one_row))
        found += [[(index, int(code))] for code in codes[is_rare]]
    return [found[place] for place in rng.permutation(len(found))[:PREDICATES]]


def find_combinations(
    synthetic: Codes, one_row: float, rng: np.random.Generator
) -> list[Predicate]:
    """Return predicates on several columns that hold for about so many synthetic rows.

    Columns of a random row are added in random order until few enough rows are left; for a row with
    many exact copies that is all columns. Arguments as above.
    """
    columns = np.asfortranarray(synthetic)
    found: list[Predicate] = []
    for place in rng.permutation(len(columns))[:PREDICATES]:
        left, predicate = np.arange(len(columns)), list[tuple[int, int]]()
        for index in rng.permutation(columns.shape[1]):
            code = columns[place, index]
            left = left[columns[left, index] == code]
            predicate.append((int(index), int(code)))
            if len(left) <= max(1, _RARE[1] * one_row):
                break
        found.append(predicate)
    return found


def isolate(predicates: Sequence[Predicate], rows: Codes) -> NDArray[np.bool_]:
    """Return which predicates hold for exactly one of the rows, ``(len(predicates),)``."""
    alone = np.empty(len(predicates), dtype=bool)
    for place, predicate in enumerate(predicates):
        left = np.arange(len(rows))
        for index, code in predicate:
            left = left[rows[left, index] == code]
        alone[place] = len(left) == 1
    return alone
