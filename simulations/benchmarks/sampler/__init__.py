"""How fast synthetic rows are drawn into a file, and in how much memory.

``python -m simulations.benchmarks.sampler`` prints one JSON line. The measure is the *bare pass*:
the generator's networks, with softmax, on as many latent codes as rows, in one thread.
"""

from simulations.benchmarks.sampler.measuring import (
    Drawn,
    draw_apart,
    make_adult_generator,
    measure_ratio,
)

__all__ = ["Drawn", "draw_apart", "make_adult_generator", "measure_ratio"]
