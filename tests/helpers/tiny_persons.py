"""Persons with several rows: a schema, tables and site folders, all tiny."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tiny_sites import write_site
from tiny_world import SCHEMA, draw_codes

from client.site import Site
from synthesis import decode
from synthesis.schema import Schema, UnitOfPrivacy
from synthesis.tables import write_table

UNIT = UnitOfPrivacy(kind="person", person_column="patient")
PERSONS = Schema.model_validate(SCHEMA.model_dump() | {"unit": UNIT.model_dump()})


def make_table(codes: np.ndarray, ids: Sequence[object]) -> pd.DataFrame:
    """The rows with these codes, each with the id of its person."""
    table = decode(SCHEMA, codes, np.random.default_rng(0))
    return table.assign(patient=list(ids))


def draw_persons(persons: int, *, most: int = 5, seed: int = 0) -> pd.DataFrame:
    """Persons with 1 to ``most`` rows each, the rows of all of them shuffled."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(
        [f"patient-{seed}-{i:05d}" for i in range(persons)], rng.integers(1, most + 1, persons)
    )
    return make_table(draw_codes(len(ids), seed), ids[rng.permutation(len(ids))])


def write_person_site(folder: Path, table: pd.DataFrame, **more: Any) -> Site:
    site = write_site(folder, schema=PERSONS, **more)
    write_table(table, folder / "rows.parquet")
    return site
