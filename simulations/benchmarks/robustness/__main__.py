"""``python -m simulations.benchmarks.robustness``: run studies, and print a JSON line for each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product

from simulations.benchmarks.robustness import ATTACKS, LEFT_OUT, NONE, Bench
from strategies.rules import RULES, MdGan


def main(words: Sequence[str] | None = None) -> None:
    """Measure what one bad site does to the census table, by strategy."""
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.robustness", description=main.__doc__
    )
    cases = [LEFT_OUT, NONE, *ATTACKS]
    parser.add_argument("--attacks", nargs="+", choices=cases, default=cases)
    parser.add_argument(
        "--strategies",
        nargs="+",
        # attacks spoil generators
        choices=[name for name, rule in RULES.items() if rule is not MdGan],
        default=["fedavg", "median", "trimmed-mean", "multi-krum"],
    )
    parser.add_argument("--sites", type=int, default=8, help="the last one is bad")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    bench = Bench.of_census(seed=given.seed, sites=given.sites)
    for attack, strategy in product(given.attacks, given.strategies):
        sys.stdout.write(json.dumps(asdict(bench.run(attack, strategy))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
