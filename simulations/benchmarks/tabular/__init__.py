"""How useful the synthetic table is beside every baseline.

``python -m simulations.benchmarks.tabular`` measures it. One run is one method on one setting
(data, sites, partition, epsilon, seed). Every run becomes one JSON line; the printed table shows
means over seeds with their spread. All figures are computed on real rows without noise, so this is
for public data.
"""

from simulations.benchmarks.tabular.baselines import each_site_alone
from simulations.benchmarks.tabular.federate import federate
from simulations.benchmarks.tabular.landmarks import Landmark, find_adult_landmarks
from simulations.benchmarks.tabular.setting import FIGURES, Made, Run, Setting
from simulations.benchmarks.tabular.table import Summary, format_table, summarise

__all__ = [
    "FIGURES",
    "Landmark",
    "Made",
    "Run",
    "Setting",
    "Summary",
    "each_site_alone",
    "federate",
    "find_adult_landmarks",
    "format_table",
    "summarise",
]
