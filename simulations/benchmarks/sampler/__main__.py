"""``python -m simulations.benchmarks.sampler``: measure, and print one JSON line."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from simulations.benchmarks.sampler.measuring import (
    draw_apart,
    make_adult_generator,
    measure_ratio,
)
from synthesis.model_files import save_generator
from synthesis.sharded_sample import SHARD_ROWS


def main(words: Sequence[str] | None = None) -> None:
    """Draw rows of the census schema into Parquet, by one process and by several."""
    given = _parser().parse_args(words)
    ratio = measure_ratio(given.ratio_rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_generator(folder, *make_adult_generator())
        alone = draw_apart(folder, given.rows)
        together = draw_apart(folder, given.rows, workers=given.workers)
    line = {
        "rows": given.rows,
        "seconds": round(alone.seconds, 3),
        "processor_seconds": round(alone.processor_seconds, 3),
        "rows_per_second": round(given.rows / alone.seconds),
        "ratio": round(ratio, 3),
        "ratio_rows": given.ratio_rows,
        "peak_mib": round(alone.peak_mib, 1),
        "workers": given.workers,
        "workers_speed_up": round(alone.seconds / together.seconds, 2),
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.sampler", description=main.__doc__
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ratio-rows", type=int, default=SHARD_ROWS, help="rows of the bare pass")
    parser.add_argument("--workers", type=int, default=2, help="for the speed-up")
    return parser


if __name__ == "__main__":
    main()
