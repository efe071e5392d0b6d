"""Tables that are hard for a sketch, each with its schema: small, and made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from synthesis.schema import (
    Boolean,
    Categorical,
    Column,
    Continuous,
    Datetime,
    Integer,
    Schema,
    dump_schema,
)
from synthesis.tables import write_table

Awkward = tuple[pd.DataFrame, list[Column]]
ROWS = 240


def many_levels(rng: np.random.Generator) -> Awkward:
    """One column with 5,000 levels, most of which no row has."""
    words = tuple(f"D{number:04d}" for number in range(5000))
    picked = np.minimum(rng.zipf(1.3, ROWS), 5000) - 1
    table = pd.DataFrame({"icd": np.array(words)[picked], "age": rng.integers(0, 100, ROWS)})
    return table, [
        Categorical(name="icd", categories=words),
        Integer(name="age", minimum=0, maximum=99),
    ]


def few_positives(rng: np.random.Generator) -> Awkward:
    """One row in 500 or so is positive; the label comes last and is replaced below."""
    table = pd.DataFrame({"x": rng.normal(size=ROWS).clip(-4, 4).round(1)})
    return table, [Continuous(name="x", minimum=-4.0, maximum=4.0, decimals=1)]


def holes(rng: np.random.Generator) -> Awkward:
    """Most cells are missing, and at one site all of a column."""
    table = pd.DataFrame(
        {
            "a": rng.choice(["u", "v", None], ROWS, p=[0.3, 0.2, 0.5]),
            "b": pd.array(rng.integers(0, 300, ROWS), dtype="Int64"),
            "c": rng.normal(50, 10, ROWS).round(1).clip(0, 100),
        }
    )
    table.loc[rng.random(ROWS) < 0.9, "b"] = pd.NA
    table.loc[np.arange(ROWS) % 3 == 0, "c"] = np.nan
    return table, [
        Categorical(name="a", categories=("u", "v"), missing=True),
        Integer(name="b", minimum=0, maximum=299, bins=30, missing=True),
        Continuous(name="c", minimum=0.0, maximum=100.0, decimals=1, bins=25, missing=True),
    ]


def dates(rng: np.random.Generator) -> Awkward:
    """Days, hours and minutes in ISO 8601, one of them sometimes missing."""
    born = pd.Timestamp("1930-01-01") + pd.to_timedelta(rng.integers(0, 25_000, ROWS), unit="D")
    came = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 8760, ROWS), unit="h")
    left = came + pd.to_timedelta(rng.integers(0, 4000, ROWS), unit="min")
    table = pd.DataFrame(
        {
            "born": born.strftime("%Y-%m-%d"),
            "came": came.strftime("%Y-%m-%dT%H:%M:%S"),
            "left": left.strftime("%Y-%m-%d %H:%M"),
        }
    )
    table.loc[rng.random(ROWS) < 0.2, "left"] = None
    shape = {"minimum": "2023-01-01", "maximum": "2024-02-01", "bins": 52}
    return table, [
        Datetime(name="born", minimum="1930-01-01", maximum="2000-01-01", bins=70),
        Datetime(name="came", resolution="hour", **shape),
        Datetime(name="left", resolution="minute", missing=True, **shape),
    ]


def wide(rng: np.random.Generator) -> Awkward:
    """More columns than rows at any site; neighbours lean on one another."""
    lead = rng.normal(size=(ROWS, 40))
    values = {
        f"c{i}": (50 + 10 * (lead[:, i // 10] + rng.normal(size=ROWS))).round(1).clip(0, 100)
        for i in range(399)
    }
    shape = {"minimum": 0.0, "maximum": 100.0, "decimals": 1, "bins": 32}
    return pd.DataFrame(values), [Continuous(name=name, **shape) for name in values]


TABLES: dict[str, Callable[[np.random.Generator], Awkward]] = {
    each.__name__: each for each in (many_levels, few_positives, holes, dates, wide)
}


def write_awkward(folder: Path, name: str) -> Schema:
    """Write ``rows.csv`` and ``schema.toml`` with three sites in the column ``site``."""
    rng = np.random.default_rng(0)
    table, columns = TABLES[name](rng)
    positives = 1 if name == "few_positives" else ROWS // 3
    table["ill"] = np.where(rng.permutation(ROWS) < positives, "yes", "no")
    table["site"] = np.array(["north", "south", "west"])[np.arange(ROWS) % 3]
    label = Boolean(name="ill", true="yes", false="no")
    schema = Schema(name=name, columns=(*columns, label), label="ill", ignore=("site",))
    write_table(table, folder / "rows.csv")
    (folder / "schema.toml").write_text(dump_schema(schema))
    return schema
