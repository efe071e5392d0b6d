"""What people look at first in a synthetic table: spikes, whole numbers, pairs that cannot be.

A small mean distance does not tell whether zeros are still zeros, or how many husbands are women.
So each landmark is a share of rows of its own, with the bounds in which it counts as kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthesis.quality.values import LevelColumn, NumberColumn, numbers, read_codes
from synthesis.schema import Schema

SPIKE_TOLERANCE = 0.02
"""How far the share of an exact value may lie from the real one."""
IMPOSSIBLE_ALLOWANCE = 0.01
"""Share of rows that noise may move into a combination beyond the real share."""
COMMON_SHARE = 0.02
"""Levels from this real share on must not be lost."""
COMMON_FACTORS = (0.7, 1.4)
"""Least and largest part of its real share that a common level may have."""


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """One share of rows in two tables.

    Attributes:
        name: what the rows have in common.
        real: share of real rows.
        synthetic: share of synthetic rows.
        low: least synthetic share that counts as kept.
        high: largest one.
    """

    name: str
    real: float
    synthetic: float
    low: float
    high: float

    @property
    def is_kept(self) -> bool:
        """Whether the synthetic share lies within the bounds."""
        return self.low <= self.synthetic <= self.high

    def __str__(self) -> str:
        state = "kept" if self.is_kept else "lost"
        return (
            f"{self.name}: {self.synthetic:.4f}, real {self.real:.4f}, "
            f"bounds {self.low:.4f} to {self.high:.4f}: {state}"
        )


def find_adult_landmarks(
    schema: Schema, real: pd.DataFrame, synthetic: pd.DataFrame
) -> list[Landmark]:
    """Return the landmarks of the shipped census table, lost ones among them."""
    tables = (schema, real, synthetic)
    return [
        find_spike(*tables, "capital-gain", 0),
        find_spike(*tables, "capital-loss", 0),
        find_spike(*tables, "hours-per-week", 40),
        find_broken_numbers(*tables, "age"),
        find_impossible(*tables, {"relationship": "Husband", "gender": "Female"}),
        find_impossible(*tables, {"relationship": "Wife", "gender": "Male"}),
        *find_common_levels(*tables),
    ]


def find_spike(
    schema: Schema,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    name: str,
    value: float,
    *,
    tolerance: float = SPIKE_TOLERANCE,
) -> Landmark:
    """Return the share of rows with exactly one number, such as 0 or 40 hours."""
    column = schema.column(name)
    assert isinstance(column, NumberColumn)
    shares = [float((numbers(column, t[name]) == value).mean()) for t in (real, synthetic)]
    return Landmark(
        name=f"{name} is exactly {value:g}",
        real=shares[0],
        synthetic=shares[1],
        low=shares[0] - tolerance,
        high=shares[0] + tolerance,
    )


def find_broken_numbers(
    schema: Schema, real: pd.DataFrame, synthetic: pd.DataFrame, name: str
) -> Landmark:
    """Return the share of rows whose number is not a whole one; there must be none."""
    column = schema.column(name)
    assert isinstance(column, NumberColumn)
    shares = [float((numbers(column, t[name]) % 1 != 0).mean()) for t in (real, synthetic)]
    return Landmark(
        name=f"{name} is not whole", real=shares[0], synthetic=shares[1], low=0.0, high=0.0
    )


def find_impossible(
    schema: Schema,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    levels: Mapping[str, str],
    *,
    allowance: float = IMPOSSIBLE_ALLOWANCE,
) -> Landmark:
    """Return the share of rows that hold several levels which hardly ever go together."""
    shares = [
        float(np.all([_has_level(schema, t, *each) for each in levels.items()], axis=0).mean())
        for t in (real, synthetic)
    ]
    return Landmark(
        name=" and ".join(f"{name} is {level}" for name, level in levels.items()),
        real=shares[0],
        synthetic=shares[1],
        low=0.0,
        high=shares[0] + allowance,
    )


def find_common_levels(
    schema: Schema,
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    least: float = COMMON_SHARE,
    factors: tuple[float, float] = COMMON_FACTORS,
) -> list[Landmark]:
    """Return the share of every level that at least ``least`` of the real rows have."""
    found = []
    for column in schema.columns:
        if not isinstance(column, LevelColumn):
            continue
        for level in column.levels:
            shares = [
                float(_has_level(schema, t, column.name, level).mean()) for t in (real, synthetic)
            ]
            if shares[0] >= least:
                found.append(
                    Landmark(
                        name=f"{column.name} is {level}",
                        real=shares[0],
                        synthetic=shares[1],
                        low=factors[0] * shares[0],
                        high=factors[1] * shares[0],
                    )
                )
    return found


def _has_level(schema: Schema, table: pd.DataFrame, name: str, level: str) -> NDArray[np.bool_]:
    column = schema.column(name)
    assert isinstance(column, LevelColumn)
    has: NDArray[np.bool_] = read_codes(column, table[name]) == column.levels.index(level)
    return has
