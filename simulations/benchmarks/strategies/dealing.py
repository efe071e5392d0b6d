"""The ways in which the rows of the benchmark are dealt to sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simulations.demos import DEFAULT_DEMO, load_demo
from simulations.partition import Partition, partition_by_column, partition_table
from simulations.partition_spec import parse_partition
from simulations.sites import SimulatedSites
from synthesis import InputError
from synthesis.encoding import conform
from synthesis.schema import Schema

ALPHAS: Final[Mapping[str, float]] = {"dirichlet-0.5": 0.5, "dirichlet-0.1": 0.1}
SIZES: Final = (70, 20, 8, 2)
PARTITIONS: Final = ("iid", *ALPHAS, "groups", "sizes")
"""Rows at random; by a Dirichlet draw over a column; a site for each group of values of another
column; at random, and four sizes of sites."""

_SCHOOLING: Final[Mapping[str, tuple[str, ...]]] = {
    "below high school": (
        *("Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th"),
    ),
    "high school": ("HS-grad",),
    "college": ("Some-college", "Assoc-voc", "Assoc-acdm"),
    "degree": ("Bachelors", "Masters", "Prof-school", "Doctorate"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Rows, and what makes sites unequal.

    Attributes:
        name: of the data set.
        schema: the public schema.
        train: rows to deal.
        test: rows that nobody trains on.
        skewed: column whose shares a Dirichlet draw makes differ between sites.
        grouped: column whose values name sites.
        groups: names of sites and which values of ``grouped`` each has, where there are fewer
            sites than values.
    """

    name: str
    schema: Schema
    train: pd.DataFrame
    test: pd.DataFrame
    skewed: str
    grouped: str
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def of_census(cls) -> Source:
        """Return the shipped census: occupations are skewed, and education makes groups."""
        demo = load_demo(DEFAULT_DEMO)
        return cls(
            name=demo.name,
            schema=demo.schema,
            train=demo.train,
            test=demo.test,
            skewed="occupation",
            grouped="education",
            groups=_SCHOOLING,
        )


def deal(source: Source, partition: str, *, num_sites: int, seed: int) -> SimulatedSites:
    """Deal all rows to sites, as a simulation with this seed deals them.

    Raises:
        InputError: if there is no such partition, or not for so many sites.
    """
    rng = np.random.default_rng(seed)
    dealt = _partition(source, partition, num_sites, rng)
    return SimulatedSites(
        schema=source.schema,
        names=dealt.names,
        tables=tuple(
            conform(source.schema, source.train.iloc[rows].reset_index(drop=True))
            for rows in dealt.rows
        ),
        held=(source.test,),
    )


def _partition(source: Source, name: str, num_sites: int, rng: np.random.Generator) -> Partition:
    if name not in PARTITIONS:
        raise InputError(
            f"partitions must be some of {', '.join(PARTITIONS)}, got {name!r}.",
            argument="partitions",
        )
    if name == "groups":
        return partition_by_column(_group(source, num_sites))
    text = f"dirichlet:{source.skewed}" if name in ALPHAS else name
    return partition_table(
        parse_partition(_sizes(num_sites) if name == "sizes" else text),
        source.train,
        num_sites=num_sites,
        alpha=ALPHAS.get(name, 1.0),
        label=source.schema.label,
        rng=rng,
    )


def _group(source: Source, num_sites: int) -> pd.Series:
    """Return for each row the name of its site: a group of values, or the value itself."""
    values = source.train[source.grouped]
    if num_sites == len(source.groups):
        names = {value: name for name, several in source.groups.items() for value in several}
        return values.astype(str).map(names)
    if num_sites == values.nunique():
        return values
    raise InputError(
        f"sites must be {len(source.groups)} or {values.nunique()} with partition 'groups', one "
        f"for each group or each value of {source.grouped}, got {num_sites}.",
        argument="sites",
    )


def _sizes(num_sites: int) -> str:
    """Return the sizes as a partition; of more than four sites, equally many have each."""
    times, rest = divmod(num_sites, len(SIZES))
    if rest or not times:
        raise InputError(
            f"sites must be a multiple of {len(SIZES)} with partition 'sizes', got {num_sites}.",
            argument="sites",
        )
    return "sizes:" + ",".join(str(size) for size in SIZES for _ in range(times))
