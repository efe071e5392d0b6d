"""What privacy adds to a step of a discriminator, in time and memory.

``python -m simulations.benchmarks.step`` prints one JSON line of ratios. A plain step is 1:
forward, loss, backward and the same optimiser on the same rows.
"""

from simulations.benchmarks.step.contenders import CONTENDERS, NETWORKS, Scene
from simulations.benchmarks.step.memory import measure_memory
from simulations.benchmarks.step.timing import measure_time

__all__ = ["CONTENDERS", "NETWORKS", "Scene", "measure_memory", "measure_time"]
