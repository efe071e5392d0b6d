"""How much memory a step needs at most: the peak of a program of its own for each, on Linux."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from simulations.benchmarks.step.contenders import CONTENDERS, Scene

__all__ = ["main", "measure_memory"]

_FEW_ROWS = 2
_PROGRAM = f"import sys; from {__name__} import main; main(*sys.argv[1:])"
_PROCESS = Path("/proc/self")


def measure_memory(scene: Scene, names: Iterable[str]) -> dict[str, float]:
    """Return the contenders' peak memory over that of a plain step."""
    plain = _run(scene, "plain")
    return {name: _run(scene, name) / plain for name in names}


def main(contender: str, network: str, rows: str) -> None:
    """Print by how many kilobytes three steps, and all they need, raise resident memory at most.

    Args:
        contender: a name in CONTENDERS.
        network: a name in NETWORKS.
        rows: real rows and fakes of a step, as text.
    """
    torch.set_num_threads(1)
    for name in ("plain", contender):  # loads what is loaded once
        CONTENDERS[name](Scene(network=network, rows=_FEW_ROWS))()
    (_PROCESS / "clear_refs").write_text("5")  # the peak counts from here
    before = _read_peak()
    step = CONTENDERS[contender](Scene(network=network, rows=int(rows)))
    for _ in range(3):
        step()
    sys.stdout.write(f"{_read_peak() - before}\n")


def _read_peak() -> int:
    return int(re.findall(r"VmHWM:\s+(\d+) kB", (_PROCESS / "status").read_text())[0])


def _run(scene: Scene, name: str) -> int:
    words = [sys.executable, "-c", _PROGRAM, name, scene.network, str(scene.rows)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
