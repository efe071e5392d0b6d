"""What a federation costs beside the training of its sites, and how that grows with sites.

``python -m simulations.benchmarks.federation`` prints one JSON line: overhead of a round, bytes on
the wire against what must travel, time and memory for growing numbers of sites, and what Ray gains.
"""

from simulations.benchmarks.federation.growth import Growth, Line, fit_line, measure_growth
from simulations.benchmarks.federation.measure import (
    Overhead,
    make_few_rows_each,
    measure_overhead,
    measure_ray,
)

__all__ = [
    "Growth",
    "Line",
    "Overhead",
    "fit_line",
    "make_few_rows_each",
    "measure_growth",
    "measure_overhead",
    "measure_ray",
]
