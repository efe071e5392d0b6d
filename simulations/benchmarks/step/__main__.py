"""``python -m simulations.benchmarks.step``: measure, and print one line of JSON."""

from __future__ import annotations

import json
import sys

import torch

from simulations.benchmarks.step.contenders import Scene
from simulations.benchmarks.step.memory import measure_memory
from simulations.benchmarks.step.timing import measure_time

SCENES = (
    Scene(network="tabular", rows=256),
    Scene(network="tabular", rows=1024),
    Scene(network="convolutional", rows=256),
)
MEMORY_SCENES = (
    Scene(network="tabular", rows=1024),
    Scene(network="convolutional", rows=256),
)


def main(*, repeats: int = 9, steps: int = 5) -> None:
    """Print the ratios to a plain step; one thread, for a second one is another question."""
    torch.set_num_threads(1)
    found: dict[str, dict[str, float]] = {}
    for scene in SCENES:
        quick = measure_time(
            scene, ("ours", "ours_without_noise", "opacus_ghost"), repeats=repeats, steps=steps
        )
        slow = measure_time(scene, ("opacus_hooks",), repeats=3, steps=1)
        found[f"{scene.network}_{scene.rows}"] = quick | slow
    for scene in MEMORY_SCENES:
        found[f"memory_{scene.network}_{scene.rows}"] = measure_memory(
            scene, ("ours", "opacus_ghost")
        )
    rounded = {at: {k: round(v, 2) for k, v in each.items()} for at, each in found.items()}
    sys.stdout.write(json.dumps({"plain": 1} | rounded) + "\n")


if __name__ == "__main__":
    main()
