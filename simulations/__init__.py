"""Whole federations on one machine.

Partitioning a table into sites, the in-process and Ray backends, scenarios, benchmarks and the
demonstration data belong here: everything that stands in for a real deployment. What runs at a
real site or coordinator belongs to ``client`` and ``server``.
"""

from simulations.partition import (
    Partition,
    PartitionKind,
    PartitionSpec,
    parse_partition,
    partition_by_column,
    partition_dirichlet,
    partition_iid,
    partition_table,
)

__all__ = [
    "Partition",
    "PartitionKind",
    "PartitionSpec",
    "parse_partition",
    "partition_by_column",
    "partition_dirichlet",
    "partition_iid",
    "partition_table",
]
