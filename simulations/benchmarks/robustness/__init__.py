"""What one bad site of several can do, by strategy.

``python -m simulations.benchmarks.robustness`` prints a JSON line for every attack and strategy:
how useful the table is, and how far its pairs of columns are from the real ones. Where no site is
bad, that is what the strategy costs; ``left out`` is the study without the bad site.
"""

from simulations.benchmarks.robustness.attacks import ATTACKS, make_bad_app
from simulations.benchmarks.robustness.measure import LEFT_OUT, NONE, Bench, Line

__all__ = ["ATTACKS", "LEFT_OUT", "NONE", "Bench", "Line", "make_bad_app"]
