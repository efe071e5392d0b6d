"""``python -m simulations.benchmarks.federation``: measure, and print one JSON line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from simulations.benchmarks.federation import measure_growth, measure_overhead, measure_ray


def main(words: Sequence[str] | None = None) -> None:
    """Measure what a federation costs beside training, and how that grows with sites."""
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.federation", description=main.__doc__
    )
    parser.add_argument("--sites", type=int, nargs="+", default=[4, 16, 64], help="growing numbers")
    parser.add_argument("--rounds", type=int, default=5, help="of the study whose overhead counts")
    parser.add_argument("--no-ray", action="store_true", help="leave out what Ray gains")
    given = parser.parse_args(words)
    found: dict[str, object] = {"overhead": asdict(measure_overhead(rounds=given.rounds))}
    found["growth"] = asdict(measure_growth(given.sites))
    if not given.no_ray:
        found["ray_speed"] = measure_ray()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
