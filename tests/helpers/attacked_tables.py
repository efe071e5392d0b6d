"""Synthetic tables that remember their training rows, or do not, and rows to attack them with."""

from __future__ import annotations

from itertools import product

import numpy as np
from tiny_world import SCHEMA

from synthesis.attacks import Records
from synthesis.schema import Boolean, Categorical, Integer, Ordinal, Schema

ROOMY = Schema(
    name="roomy",
    columns=(
        Integer(name="age", minimum=0, maximum=59),
        Categorical(name="colour", categories=tuple("abcdefgh"), missing=True),
        Categorical(name="outcome", categories=("well", "ill")),
        Ordinal(name="grade", categories=tuple("ABCDE")),
        Boolean(name="smokes", true="yes", false="no"),
        Integer(name="visits", minimum=0, maximum=19, point_masses=(0,), missing=True),
        Categorical(name="town", categories=tuple("nmopqrst")),
    ),
    label="outcome",
)


def draw_rows(number: int, rng: np.random.Generator, schema: Schema = ROOMY) -> np.ndarray:
    """Rows whose columns lean on each other, every code possible."""
    lead = rng.random((number, 1))
    mixed = (lead + rng.random((number, len(schema.sizes)))) / 2
    return np.floor(mixed * np.array(schema.sizes)).astype(np.int16)


def make_records(
    seed: int, *, remembered: float, rows: int = 200, synthetic: int = 1000
) -> Records:
    """Members and others drawn alike; so many cells of each synthetic row are a member's."""
    rng = np.random.default_rng(seed)
    members, others = draw_rows(rows, rng), draw_rows(rows, rng)
    fresh = draw_rows(synthetic, rng)
    copied = members[rng.integers(0, rows, synthetic)]
    is_kept = rng.random(fresh.shape) < remembered
    table = np.where(is_kept, copied, fresh)
    return Records(schema=ROOMY, synthetic=table, members=members, others=others)


def every_row(schema: Schema = SCHEMA) -> np.ndarray:
    """Every combination of codes."""
    return np.array(list(product(*map(range, schema.sizes))), dtype=np.int16)
