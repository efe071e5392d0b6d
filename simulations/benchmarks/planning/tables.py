"""The public tables on which a plan's expectation rests, dealt to sites at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pandas as pd

from privacy import Budget
from simulations.benchmarks.tabular import Setting
from simulations.demos import split_by_label
from simulations.partition import partition_iid
from simulations.sites import SimulatedSites
from synthesis import InputError, conform, read_table
from synthesis.schema import Schema, load_schema

DELTA = 1e-5
PARTITION = "iid"
_ENDINGS = (".parquet", ".csv.gz", ".csv")


@dataclass(frozen=True, kw_only=True)
class PublicTable:
    """A table that anyone may see, beside its schema.

    Attributes:
        name: what both files are called.
        data: the rows; columns that the schema does not know are left out.
        schema: public description.
    """

    name: str
    data: Path
    schema: Schema

    @cached_property
    def _parts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        rows = conform(self.schema, read_table(self.data)[list(self.schema.names)])
        return split_by_label(rows, self.schema.label)

    def num_rows(self, part: int = 1) -> int:
        """Return how many rows are trained on, or of every ``part`` of them one."""
        return len(self._parts[0]) // part

    def name_of(self, part: int) -> str:
        """Return what the lines of the benchmark call a part of the table."""
        return self.name if part == 1 else f"{self.name}, 1 of {part} rows"

    def deal(self, *, num_sites: int, epsilon: float, part: int = 1, seed: int = 0) -> Setting:
        """Return a setting of the benchmark: training rows dealt to equal sites.

        Args:
            num_sites: sites that get rows.
            epsilon: of each site.
            part: of every so many training rows one is taken; the test rows are the same.
            seed: of everything that is drawn.
        """
        train, test = self._parts
        rng = np.random.default_rng(seed)
        if part > 1:
            train = train.iloc[np.sort(rng.permutation(len(train))[: self.num_rows(part)])]
        partition = partition_iid(len(train), num_sites, rng)
        sites = SimulatedSites(
            schema=self.schema,
            names=partition.names,
            tables=tuple(train.iloc[part].reset_index(drop=True) for part in partition.rows),
            held=(test,),
        )
        return Setting(
            data=self.name_of(part),
            sites=sites,
            partition=PARTITION,
            budget=Budget(epsilon=epsilon, delta=DELTA),
            seed=seed,
        )


def find_tables(folders: Sequence[Path] | None = None) -> list[PublicTable]:
    """Return every table of records in some folders, in the order of their names.

    Args:
        folders: where ``NAME.toml`` lies beside the rows; the shipped data when left out. A schema
            without rows, or one that protects persons, is passed over.

    Raises:
        InputError: if there is none.
    """
    if folders is not None:
        found = [table for folder in folders for table in _tables_of(folder)]
    else:
        with as_file(files("simulations") / "data") as shipped:
            found = list(_tables_of(shipped))
    if not found:
        raise InputError(
            f"tables must be folders with NAME.toml beside NAME{', NAME'.join(_ENDINGS)}, got "
            f"{', '.join(map(str, folders or ()))}; name another.",
            argument="tables",
        )
    return found


def _tables_of(folder: Path) -> Iterator[PublicTable]:
    for path in sorted(folder.glob("*.toml")):
        schema = load_schema(path)
        data = [
            path.with_suffix(ending) for ending in _ENDINGS if path.with_suffix(ending).exists()
        ]
        if data and schema.unit.kind == "record":
            yield PublicTable(name=path.stem, data=data[0], schema=schema)
