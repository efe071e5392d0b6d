"""What a planned study may expect, measured on public tables.

``python -m simulations.benchmarks.planning`` runs studies on every public table that comes along,
keeps each as a line of the benchmark of utility, and writes the reference of ``server.planning``:
what those studies came to, over the signal that their plans had, and what a unit of work took.
"""

from simulations.benchmarks.planning.reference import STUDIES, make_reference
from simulations.benchmarks.planning.tables import PublicTable, find_tables
from simulations.benchmarks.planning.unit_costs import measure_unit_costs

__all__ = ["STUDIES", "PublicTable", "find_tables", "make_reference", "measure_unit_costs"]
