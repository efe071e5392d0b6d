"""Time and memory of drawing rows, beside the time that the networks would take for them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import torch

from simulations.demos import DEFAULT_DEMO, load_demo_schema
from synthesis.architecture import GeneratorSettings
from synthesis.generator import Generator
from synthesis.sample_files import write_sample
from synthesis.schema import Schema
from synthesis.sharded_sample import ShardedSample

_DRAW: Final = """
import json, sys, time
from pathlib import Path
from synthesis.model_files import load_generator
from synthesis.sample_files import write_sample
from synthesis.sharded_sample import ShardedSample, in_this_process
from synthesis.worker_processes import WorkerProcesses
folder, rows, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
engine = WorkerProcesses(workers=workers) if workers > 1 else in_this_process
started, began = time.perf_counter(), time.process_time()
sample = ShardedSample.of(*load_generator(folder), rows)
write_sample(sample, folder / f"{workers}.parquet", engine=engine)
seconds, processor = time.perf_counter() - started, time.process_time() - began
lines = Path("/proc/self/status").read_text().splitlines()
(peak,) = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
print(json.dumps([seconds, processor, peak / 1024]))
"""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a process of its own needed to draw rows into a Parquet file.

    Attributes:
        seconds: from the generator's files to the finished file.
        processor_seconds: of that process alone.
        peak_mib: the largest resident size of that process; workers have their own.
    """

    seconds: float
    processor_seconds: float
    peak_mib: float


def make_adult_generator() -> tuple[Generator, Schema]:
    """Return a generator of the default size for the census, not trained: time does not tell."""
    schema = load_demo_schema(DEFAULT_DEMO)
    settings = GeneratorSettings.for_schema(schema)
    return Generator(settings, rng=torch.Generator().manual_seed(0)), schema


def measure_ratio(
    num_rows: int,
    *,
    repeats: int = 5,
    summary: Callable[[list[float]], float] = median,
    clock: Callable[[], float] = perf_counter,
) -> float:
    """Return the time of drawing rows into a Parquet file over that of the bare pass.

    Both are measured in turn, in one thread.

    Args:
        num_rows: rows, >= 1; the bare pass is rounded up to whole batches of 1,024.
        repeats: how often, >= 1.
        summary: what of the repeats counts.
        clock: seconds; those of the processor are steadier than those on the wall.
    """
    generator, schema = make_adult_generator()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    draws, passes = [], []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(repeats):
                started = clock()
                _pass_bare(generator, num_rows)
                passed = clock()
                sample = ShardedSample.of(generator, schema, num_rows)
                write_sample(sample, Path(folder) / "rows.parquet")
                passes.append(passed - started)
                draws.append(clock() - passed)
    finally:
        torch.set_num_threads(threads)
    return summary(draws) / summary(passes)


@torch.no_grad()
def _pass_bare(generator: Generator, num_rows: int) -> None:
    for _ in range(ceil(num_rows / generator.settings.num_parts)):
        _ = generator.mixture().columns  # of all latent codes: a batch of 1,024


def draw_apart(folder: Path, num_rows: int, *, workers: int = 1) -> Drawn:
    """Draw rows in a process of its own.

    Args:
        folder: holds a generator's files; the table is put there.
        num_rows: rows, >= 1.
        workers: processes that draw, >= 1.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    words = [sys.executable, "-c", _DRAW, str(folder), str(num_rows), str(workers)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds, processor_seconds, peak_mib = json.loads(done.stdout)
    return Drawn(seconds=seconds, processor_seconds=processor_seconds, peak_mib=peak_mib)
