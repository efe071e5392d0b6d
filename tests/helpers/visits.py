"""A made-up table of visits: persons with 1 to 5 rows each, every person at one clinic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from command_line import SCHEMA, TINY

PERSON_SCHEMA = SCHEMA.replace('kind = "record"', 'kind = "person"\nperson_column = "patient"')
CLINICS = ("east", "north", "west")


def draw_visits(persons: int = 90, *, seed: int = 0) -> pd.DataFrame:
    """Rows in random order; the ids hold a text that occurs nowhere else."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 1 + np.arange(persons) % 5)
    rng.shuffle(person)
    return pd.DataFrame(
        {
            "patient": [f"zz{number:03d}zz" for number in person],
            "clinic": [CLINICS[number % 3] for number in person],
            "age": rng.integers(0, 100, len(person)),
            "ward": [("east", "west", None)[number % 3] for number in person],
            "sick": ["yes" if rng.random() < 0.3 else "no" for _ in person],
        }
    )


def write_visits(home: Path) -> None:
    """Write table, schema and a tiny study into a folder."""
    draw_visits().to_csv(home / "visits.csv", index=False)
    (home / "visits.toml").write_text(PERSON_SCHEMA)
    (home / "tiny.toml").write_text(TINY)
