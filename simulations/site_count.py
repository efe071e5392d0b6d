"""How many sites a simulation has, as far as its settings and a public schema tell."""

from __future__ import annotations

from simulations.partition_spec import (
    PartitionKind,
    PartitionSpec,
    check_column,
    check_lacking,
    parse_partition,
)
from simulations.settings import SimulationSettings
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.schema import LevelColumn, Schema

_TELLERS = {PartitionKind.COLUMN: "the column says", PartitionKind.SIZES: "the sizes say"}


def count_sites(settings: SimulationSettings, schema: AnySchema | None) -> int | None:
    """Return the number of sites, or None if only the rows can tell it.

    A partition by a column has one site for each value that the schema declares; a value without
    rows makes none in the simulation.

    Args:
        settings: of the simulation.
        schema: of its data; without it the sites of a column are as many as ``site_epsilons``.

    Raises:
        InputError: if the partition is none.
    """
    spec = parse_partition(settings.partition)
    if spec.kind is PartitionKind.COLUMN:
        return _count_levels(schema, spec.column) or len(settings.site_epsilons) or None
    return len(spec.sizes) or settings.sites


def check_public(settings: SimulationSettings, schema: AnySchema, num_sites: int) -> None:
    """Refuse what can be told to be wrong with a partition before a row is read.

    Args:
        settings: of the simulation.
        schema: of its data.
        num_sites: how many sites there are.

    Raises:
        InputError: as the simulation itself raises it.
    """
    spec = parse_partition(settings.partition)
    if isinstance(schema, ImageSchema):
        num_values = schema.num_classes
    else:
        num_values = len(schema.label_levels)
        check_no_idle_setting(settings, spec)
        if spec.column is not None and settings.data is None:
            check_column(spec.column, schema.names)
    if spec.kind is PartitionKind.LACKING:
        check_lacking(spec.lacking, num_values=num_values, num_sites=num_sites)


def check_no_idle_setting(settings: SimulationSettings, spec: PartitionSpec) -> None:
    """Refuse a setting that the partition would pass over in silence.

    Raises:
        InputError: if sites or alpha are given and mean nothing to the partition.
    """
    idle = settings.model_fields_set & spec.idle_settings
    if "sites" in idle:
        raise InputError(
            f"sites must be left out with partition {settings.partition}, got {settings.sites}: "
            f"{_TELLERS[spec.kind]} how many sites there are; leave sites out, or use iid or "
            "dirichlet.",
            argument="sites",
        )
    if "alpha" in idle:
        raise InputError(
            f"alpha must be left out with partition {settings.partition}, got "
            f"{settings.alpha:g}: it is for partition dirichlet; leave alpha out or use that.",
            argument="alpha",
        )


def _count_levels(schema: AnySchema | None, name: str | None) -> int:
    """Return how many values a column is declared to have; 0 if they are no list."""
    if not isinstance(schema, Schema):
        return 0
    found = (column for column in schema.columns if column.name == name)
    return sum(len(column.levels) for column in found if isinstance(column, LevelColumn))
