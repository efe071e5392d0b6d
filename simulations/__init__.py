"""Whole federations on one machine.

Partitioning a table into sites, the in-process and Ray backends, scenarios, benchmarks and the
demonstration data belong here: everything that stands in for a real deployment. What runs at a
real site or coordinator belongs to ``client`` and ``server``.
"""

from simulations.backends import SimulationRun, run_local
from simulations.demos import Demo, load_demo, split_by_label
from simulations.grid import Delivery, Fault, LocalGrid
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
from simulations.ray_backend import run_ray

__all__ = [
    "Delivery",
    "Demo",
    "Fault",
    "LocalGrid",
    "Partition",
    "PartitionKind",
    "PartitionSpec",
    "SimulationRun",
    "load_demo",
    "parse_partition",
    "partition_by_column",
    "partition_dirichlet",
    "partition_iid",
    "partition_table",
    "run_local",
    "run_ray",
    "split_by_label",
]
