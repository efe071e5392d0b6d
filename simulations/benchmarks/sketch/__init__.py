"""What it takes a site to sketch its records, and the coordinator to fit a generator to the sum.

``python -m simulations.benchmarks.sketch`` makes a table like the shipped census table, as long as
asked for, in a file or a database, reads, encodes and counts it in a process of its own, and prints
one line of JSON.
"""

from simulations.benchmarks.sketch.measuring import Figures, measure, measure_apart
from simulations.benchmarks.sketch.pretraining import FitFigures, measure_fits
from simulations.benchmarks.sketch.tables import ENDINGS, rows_in_postgresql, write_rows

__all__ = [
    "ENDINGS",
    "Figures",
    "FitFigures",
    "measure",
    "measure_apart",
    "measure_fits",
    "rows_in_postgresql",
    "write_rows",
]
