"""Persons in a simulation, which holds all rows: whole persons go to one site, and to one test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulations.partition import Partition
from synthesis import InputError
from synthesis.encoding import read_ids
from synthesis.schema import Schema

UnitNumbers = npt.NDArray[np.int64]


def number_units(schema: Schema, table: pd.DataFrame) -> UnitNumbers:
    """Return the unit of each row, from 0: the row itself, or its person."""
    person = schema.unit.person_column
    if person is None:
        return np.arange(len(table))
    return _number(read_ids(table[person]))


def count_units(schema: Schema, tables: Sequence[pd.DataFrame]) -> int:
    """Return how many different units the tables hold together."""
    person = schema.unit.person_column
    if person is None:
        return sum(map(len, tables))
    return len({text for table in tables for text in read_ids(table[person])})


def first_rows(units: UnitNumbers) -> UnitNumbers:
    """Return the first row of each unit."""
    return np.unique(units, return_index=True)[1].astype(np.int64)


def deal_whole(of_units: Partition, units: UnitNumbers) -> Partition:
    """Turn a partition of units into one of their rows."""
    site_of_unit = np.empty(sum(map(len, of_units.rows)), dtype=np.int64)
    for site, chosen in enumerate(of_units.rows):
        site_of_unit[chosen] = site
    rows = tuple(np.flatnonzero(site_of_unit[units] == site) for site in range(len(of_units.rows)))
    return Partition(names=of_units.names, rows=rows)


def check_enough_persons(num_sites: int, units: UnitNumbers) -> None:
    """Raise InputError if there are more sites than persons to deal."""
    persons = len(first_rows(units))
    if num_sites > persons:
        raise InputError(
            f"sites must be at most the number of persons, as each goes to one site as a whole, "
            f"got {num_sites} sites for {persons} persons; ask for fewer sites.",
            argument="sites",
        )


def check_one_site_each(partition: Partition, units: UnitNumbers) -> None:
    """Raise InputError if a person has rows at several sites."""
    sites = np.zeros(int(units.max()) + 1, dtype=np.int64)
    for rows in partition.rows:
        sites[np.unique(units[rows])] += 1
    several = int((sites > 1).sum())
    if several:
        raise InputError(
            f"partition must leave each person at one site, and {several:,} of {len(sites):,} have "
            f"rows at up to {int(sites.max())}: what is promised to such a person is the sum over "
            "their sites, and a report that names the epsilon of one site would say too little; "
            "partition by another column, by iid or by dirichlet.",
            argument="partition",
        )


def _number(texts: list[str]) -> UnitNumbers:
    return pd.factorize(np.array(texts, dtype=object))[0].astype(np.int64)
