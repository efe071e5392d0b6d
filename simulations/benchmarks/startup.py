"""How long a person waits for the first word: ``python -m simulations.benchmarks.startup``.

Prints one line of JSON: for each command the median wall and processor time of five starts, beside
those of an interpreter that does nothing, so that ratios can be taken within one run.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["main", "measure_all"]

REPEATS = 5
STUDY = '[simulation]\ndemo = "adult"\n'
_ROOT = Path(__file__).parents[2]
_FEDSYNTH = (sys.executable, "-c", "from fedsynth.cli import main; main()")

Timing = Mapping[str, float]


def measure_all(folder: Path, *, repeats: int = REPEATS) -> dict[str, Timing]:
    """Return the medians ``wall_s`` and ``processor_s``, in seconds, of each command.

    The commands take turns, so that whatever else the machine does falls on all of them, and each
    runs once more at first, uncounted, to have its files in memory.

    Args:
        folder: where the planned study is written.
        repeats: starts of each command that count, at least 1.
    """
    study = folder / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    commands = {
        "python -c pass": (sys.executable, "-c", "pass"),
        "fedsynth --version": (*_FEDSYNTH, "--version"),
        "fedsynth --help": (*_FEDSYNTH, "--help"),
        "fedsynth plan": (*_FEDSYNTH, "plan", str(study)),
    }
    rounds = [{name: _start(words) for name, words in commands.items()} for _ in range(repeats + 1)]
    return {
        name: {
            "wall_s": statistics.median(times[name][0] for times in rounds[1:]),
            "processor_s": statistics.median(times[name][1] for times in rounds[1:]),
        }
        for name in commands
    }


def main() -> None:
    """Print the line."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{json.dumps(measure_all(Path(folder)))}\n")


def _start(words: Sequence[str]) -> tuple[float, float]:
    """Return wall and processor time of one process, in seconds."""
    used, began = _processor_s(), time.perf_counter()
    subprocess.run(words, cwd=_ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, _processor_s() - used


def _processor_s() -> float:
    """Return the processor time of all processes that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
