"""Whole federations on one machine.

Partitioning a table into sites, the in-process and Ray backends, scenarios, benchmarks and the
demonstration data belong here: everything that stands in for a real deployment. What runs at a
real site or coordinator belongs to ``client`` and ``server``.

Everything is imported at the first use of its name, so that a plan does not wait for pandas and
Flower.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulations.backends import SimulationRun, run_local
    from simulations.demos import Demo, load_demo, split_by_label
    from simulations.grid import Delivery, Fault, LocalGrid
    from simulations.partition import (
        Partition,
        partition_by_column,
        partition_dirichlet,
        partition_iid,
        partition_table,
    )
    from simulations.partition_spec import PartitionKind, PartitionSpec, parse_partition
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

_HOMES = {
    "Delivery": "simulations.grid",
    "Demo": "simulations.demos",
    "Fault": "simulations.grid",
    "LocalGrid": "simulations.grid",
    "Partition": "simulations.partition",
    "PartitionKind": "simulations.partition_spec",
    "PartitionSpec": "simulations.partition_spec",
    "SimulationRun": "simulations.backends",
    "load_demo": "simulations.demos",
    "parse_partition": "simulations.partition_spec",
    "partition_by_column": "simulations.partition",
    "partition_dirichlet": "simulations.partition",
    "partition_iid": "simulations.partition",
    "partition_table": "simulations.partition",
    "run_local": "simulations.backends",
    "run_ray": "simulations.ray_backend",
    "split_by_label": "simulations.demos",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'simulations' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
