"""Every strategy on every way in which sites can be unequal.

``python -m simulations.benchmarks.strategies`` measures it on the census. One run is one strategy
on one partition, number of sites, epsilon and seed; every run becomes one JSON line, and a second
call runs what the file does not hold. All figures are computed on real rows without noise, so this
is for public data.
"""

from simulations.benchmarks.strategies.dealing import PARTITIONS, Source, deal
from simulations.benchmarks.strategies.line import Case, Figures, Line, read_lines
from simulations.benchmarks.strategies.methods import STRATEGIES, Fits, check_strategy, make_rows
from simulations.benchmarks.strategies.shared_fit import SharedFit
from simulations.benchmarks.strategies.table import format_tables

__all__ = [
    "PARTITIONS",
    "STRATEGIES",
    "Case",
    "Figures",
    "Fits",
    "Line",
    "SharedFit",
    "Source",
    "check_strategy",
    "deal",
    "format_tables",
    "make_rows",
    "read_lines",
]
