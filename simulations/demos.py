"""The demonstration data that comes with fedsynth, already split into training and test rows."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

from synthesis.errors import InputError
from synthesis.schema import Schema, load_schema

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_DEMO = "adult"
DEMO_ROWS = {DEFAULT_DEMO: 39_074}
"""Demonstrations that come along, and how many rows their sites have, which is public."""
IMAGE_DEMO_NUMBERS = {"digits": 1_438, "fashion": 60_000}
"""Demonstrations of images, and how many their sites have; they are loaded elsewhere."""
DEMOS = (*DEMO_ROWS, *IMAGE_DEMO_NUMBERS)
TEST_SHARE = 0.2
_FOLDER = files("simulations") / "data"


@dataclass(frozen=True, kw_only=True, eq=False)
class Demo:
    """A public data set: its schema, rows for the sites, and rows nobody trains on."""

    name: str
    schema: Schema
    train: pd.DataFrame
    test: pd.DataFrame


def load_demo(name: str) -> Demo:
    """Load a data set that comes with fedsynth; the split is always the same.

    Raises:
        InputError: if there is no demonstration of that name.
    """
    from synthesis.tables import read_table  # a plan needs the schema alone

    schema = load_demo_schema(name)
    with as_file(_FOLDER / f"{name}.parquet") as data:
        table = read_table(data)
    train, test = split_by_label(table[list(schema.names)], schema.label)
    return Demo(name=name, schema=schema, train=train, test=test)


def load_demo_schema(name: str) -> Schema:
    """Load the schema of a data set that comes with fedsynth, and no row of it.

    Raises:
        InputError: if there is no demonstration of that name.
    """
    if name not in DEMO_ROWS:
        raise InputError(
            f"demo must be one of {', '.join(DEMOS)}, got {name!r}; "
            "for a table of your own, give --data and --schema.",
            argument="demo",
        )
    with as_file(_FOLDER / f"{name}.toml") as path:
        return load_schema(path)


def split_by_label(
    table: pd.DataFrame, label: str, *, test_share: float = TEST_SHARE, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split off test rows, the same share of every label, and keep the order of rows.

    The stream of numpy's ``RandomState`` is frozen, so the split does not depend on a library's
    version, and on Adult it is the split that published figures use.

    Returns:
        Training and test rows, each with a fresh index.
    """
    rng = np.random.RandomState(seed)
    labels = table[label].astype(str).to_numpy()
    is_test = np.zeros(len(table), dtype=bool)
    for level in sorted(set(labels)):
        rows = rng.permutation(np.flatnonzero(labels == level))
        is_test[rows[: round(test_share * len(rows))]] = True
    return table[~is_test].reset_index(drop=True), table[is_test].reset_index(drop=True)
