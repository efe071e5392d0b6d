"""How long the contenders' steps take, beside each other in one process."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from time import process_time

from simulations.benchmarks.step.contenders import CONTENDERS, Scene

__all__ = ["measure_time"]


def measure_time(
    scene: Scene, names: Iterable[str], *, repeats: int, steps: int
) -> dict[str, float]:
    """Return processor time over that of a plain step: the median of paired runs.

    Args:
        scene: network and rows.
        names: contenders beside the plain step.
        repeats: runs of each contender, in turns so that all see the same machine, >= 1.
        steps: steps of a run, of which the fastest counts, >= 1.
    """
    contenders = {name: CONTENDERS[name](scene) for name in ("plain", *names)}
    for step in contenders.values():
        step()
    runs = [
        {name: min(_seconds(step) for _ in range(steps)) for name, step in contenders.items()}
        for _ in range(repeats)
    ]
    return {
        name: statistics.median(run[name] / run["plain"] for run in runs)
        for name in contenders
        if name != "plain"
    }


def _seconds(step: Callable[[], None]) -> float:
    began = process_time()
    step()
    return process_time() - began
