"""The sites of a simulation: rows dealt into folders that look like those of real sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from client.founding import found_site
from privacy import Policy, Unit
from server.study import Study
from simulations.demos import DEFAULT_DEMO, TEST_SHARE, load_demo
from simulations.missing_columns import find_missing
from simulations.partition import Partition, partition_table
from simulations.partition_spec import PartitionKind, PartitionSpec, parse_partition
from simulations.persons import (
    check_enough_persons,
    check_one_site_each,
    count_units,
    deal_whole,
    first_rows,
    number_units,
)
from simulations.settings import SimulationSettings
from simulations.site_count import check_no_idle_setting
from synthesis import InputError
from synthesis.encoding import conform
from synthesis.kinds import AnySchema
from synthesis.schema import Schema, check_table, load_schema
from synthesis.tables import read_table, write_table

ROWS_FILE = "rows.parquet"
MAX_NAME = 100
_SHOWN_VIOLATIONS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedSites:
    """All rows of a simulation, which only a simulation may hold together.

    Attributes:
        schema: the public schema.
        names: public name of each site.
        tables: training rows of each site, with the ids of persons where they are the unit.
        held: rows of each site that nothing is trained on, or one table of them for all sites, with
            the ids of persons too.
        missing: by name of a site, the columns that it is not given.
    """

    schema: Schema
    names: tuple[str, ...]
    tables: tuple[pd.DataFrame, ...]
    held: tuple[pd.DataFrame, ...]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def train(self) -> pd.DataFrame:
        """Training rows of all sites together, without the ids of persons."""
        return pd.concat(self.tables, ignore_index=True)[list(self.schema.names)]

    @property
    def test(self) -> pd.DataFrame:
        """All rows that nothing is trained on, without the ids of persons."""
        return pd.concat(self.held, ignore_index=True)[list(self.schema.names)]

    @property
    def num_units(self) -> int:
        """Records or persons that take part."""
        return count_units(self.schema, self.tables)


class AnySites(Protocol):
    """The sites of a simulation, as far as a run and its report need to know what they hold."""

    @property
    def schema(self) -> AnySchema:
        """The public schema."""

    @property
    def names(self) -> tuple[str, ...]:
        """Public name of each site."""

    @property
    def tables(self) -> Sequence[Sized]:
        """Training records of each site."""

    @property
    def num_units(self) -> int:
        """Records or persons that take part."""

    @property
    def missing(self) -> Mapping[str, tuple[str, ...]]:
        """By name of a site, the columns that it is not given."""


def make_sites(settings: SimulationSettings) -> SimulatedSites:
    """Load the rows, check them against the schema and deal them to sites.

    Raises:
        InputError: if the data, the schema or the partition cannot be used.
    """
    rng = np.random.default_rng(settings.seed)
    spec = parse_partition(settings.partition)
    check_no_idle_setting(settings, spec)
    schema, table, test = _load_rows(settings, spec)
    partition = _partition(settings, spec, schema, table, rng)
    _check_names(partition.names, settings)
    missing = find_missing(settings, schema, partition.names)
    tables = [_conform(schema, table.iloc[rows].reset_index(drop=True)) for rows in partition.rows]
    tables, held = _hold_out(schema, tables, rng) if test is None else (tables, [test])
    return SimulatedSites(
        schema=schema,
        names=partition.names,
        tables=tuple(tables),
        held=tuple(held),
        missing=missing,
    )


def check_study(study: Study, sites: AnySites) -> None:
    """Raise InputError if the study's numbers cannot hold for these rows."""
    units, person = sites.num_units, sites.schema.unit.kind == "person"
    if study.delta >= 1 / units:
        raise InputError(
            f"delta must be between 1e-10 and 1/{'persons' if person else 'rows'} = "
            f"{1 / units:.2g}, got {study.delta:g}; a larger one would allow a "
            f"{sites.schema.unit.kind} to be published outright.",
            argument="delta",
        )
    if study.minimum_sites > len(sites.tables):
        raise InputError(
            f"minimum_sites is {study.minimum_sites} and there are {len(sites.tables)} sites; "
            "lower it or make more sites.",
            argument="minimum_sites",
        )


def write_sites(
    sites: SimulatedSites,
    study: Study,
    folder: Path,
    *,
    holdout: float,
    seed: int,
    canaries: int = 0,
    site_epsilons: Sequence[float] = (),
) -> None:
    """Found one site per table: keys, policy, ledger and rows, as an installed site has them.

    Args:
        sites: names and rows.
        study: what the policies allow.
        folder: where the sites' folders are made.
        holdout: share of the units that is held out.
        seed: of all noise.
        canaries: made-up units that each site plants.
        site_epsilons: what each site may spend; as much as the study asks for if left out.
    """
    epsilons = site_epsilons or [study.epsilon] * len(sites.names)
    several = zip(sites.names, sites.tables, epsilons, strict=True)
    for partition, (name, table, epsilon) in enumerate(several):
        policy = Policy(
            epsilon=epsilon,
            delta=study.delta,
            unit=Unit(sites.schema.unit.kind),
            holdout=holdout,
            max_rounds=study.rounds,
            models=(study.model,),
        )
        home = site_folder(folder, partition)
        found_site(
            home,
            name=name,
            data=ROWS_FILE,
            schema=sites.schema,
            policy=policy,
            canaries=canaries,
            missing_columns=(lacking := sites.missing.get(name, ())),
            simulation_seed=seed,
        )
        write_table(table.drop(columns=list(lacking)), home / ROWS_FILE)


def site_folder(home: Path, partition: int) -> Path:
    """Return the folder of the site with this number, from 0, where its ClientApp looks for it."""
    return home / f"site-{partition + 1}"


def _load_rows(
    settings: SimulationSettings, spec: PartitionSpec
) -> tuple[Schema, pd.DataFrame, pd.DataFrame | None]:
    """Return schema, rows and, where they are fixed, the rows to test on."""
    if settings.data is None or settings.schema_file is None:
        demo = load_demo(settings.demo or DEFAULT_DEMO)
        return demo.schema, demo.train, demo.test
    schema = load_schema(settings.schema_file)
    table = read_table(settings.data)
    _check_rows(schema, table, partition_column=spec.column)
    return schema, table, None


def _partition(
    settings: SimulationSettings,
    spec: PartitionSpec,
    schema: Schema,
    table: pd.DataFrame,
    rng: np.random.Generator,
) -> Partition:
    """Deal rows to sites, and of a person all rows to one; the first row's label counts."""
    units = number_units(schema, table)
    is_by_column = spec.kind is PartitionKind.COLUMN
    if not is_by_column and schema.unit.kind == "person":
        check_enough_persons(len(spec.sizes) or settings.sites, units)
    whole = table if is_by_column else table.iloc[first_rows(units)]
    partition = partition_table(
        spec, whole, num_sites=settings.sites, alpha=settings.alpha, label=schema.label, rng=rng
    )
    if is_by_column:
        check_one_site_each(partition, units)
        return partition
    return deal_whole(partition, units)


def _conform(schema: Schema, table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns a site keeps: those of the schema, and the ids of its persons."""
    person = schema.unit.person_column
    typed = conform(schema, table)
    return typed if person is None else typed.assign(**{person: table[person]})


def _check_names(names: tuple[str, ...], settings: SimulationSettings) -> None:
    """Names of sites seed their noise, so each must be there and be its own."""
    if len(set(names)) < len(names) or not all(
        1 <= len(name) <= MAX_NAME and name.isprintable() for name in names
    ):
        raise InputError(
            f"partition {settings.partition} must name sites by different texts of 1 to {MAX_NAME} "
            "printable characters, and some values are not; choose another column or correct them.",
            argument="partition",
        )


def _check_rows(schema: Schema, table: pd.DataFrame, *, partition_column: str | None) -> None:
    violations = check_table(schema, table, allow=[partition_column] if partition_column else [])
    if violations:
        shown = "; ".join(v.sentence().rstrip(".") for v in violations[:_SHOWN_VIOLATIONS])
        more = len(violations) - _SHOWN_VIOLATIONS
        tail = f"; and {more} more, which 'fedsynth schema check' lists" if more > 0 else ""
        raise InputError(f"data must fit the schema: {shown}{tail}.", argument="data")


def _hold_out(
    schema: Schema, tables: list[pd.DataFrame], rng: np.random.Generator
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Take a share of every site's units for the test; a site of fewer than 5 keeps all.

    Raises:
        InputError: if no site has a unit to spare.
    """
    units = [number_units(schema, table) for table in tables]
    sizes = [int(numbers.max()) + 1 for numbers in units]
    if all(int(TEST_SHARE * size) == 0 for size in sizes):
        noun = "rows" if schema.unit.kind == "record" else "persons"
        raise InputError(
            f"sites must not all have fewer than {round(1 / TEST_SHARE)} {noun}, or none is left "
            f"to test on, and the largest of {len(tables)} has {max(sizes)}; ask for "
            f"fewer sites or bring more {noun}.",
            argument="sites",
        )
    kept, held = [], []
    for table, numbers, size in zip(tables, units, sizes, strict=True):
        order = rng.permutation(size)
        is_held = np.isin(numbers, order[: int(TEST_SHARE * size)])
        held.append(table[is_held].reset_index(drop=True))
        kept.append(table[~is_held].reset_index(drop=True))
    return kept, held
