"""``python -m simulations.benchmarks.planning``: run what is missing, then write the reference."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from server import planning
from server.planning.expectation import REFERENCE_FILE
from simulations.benchmarks.planning.reference import (
    format_reference,
    is_wanted,
    make_reference,
    wanted_runs,
)
from simulations.benchmarks.planning.tables import find_tables
from simulations.benchmarks.planning.unit_costs import measure_unit_costs
from simulations.benchmarks.tabular.__main__ import read_runs, run_method
from strategies.errors import StudyFailed
from synthesis import InputError

_SHIPPED = Path(planning.__file__).parent / REFERENCE_FILE


def main(words: Sequence[str] | None = None) -> None:
    """Run every study that the lines do not hold yet, and write what a plan expects from them."""
    given = _parser().parse_args(words)
    try:
        tables = find_tables(given.tables)
        runs = read_runs(given.lines)
        for table, wanted in wanted_runs(tables):
            if any(is_wanted(run, table, wanted) for run in runs):
                continue
            sys.stderr.write(f"{table.name_of(wanted.part)}: {wanted.words()}\n")
            setting = table.deal(
                num_sites=wanted.num_sites, epsilon=wanted.epsilon, part=wanted.part
            )
            runs.append(run_method(setting, wanted.method))
            with given.lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(runs[-1].to_dict()) + "\n")
        narrow, *_, wide = sorted((t.schema for t in tables), key=lambda s: sum(s.sizes))
        reference = make_reference(tables, runs, measure_unit_costs(narrow, wide))
    except (InputError, StudyFailed, OSError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
    text = json.dumps(reference.to_dict(), indent=1, sort_keys=True)
    given.out.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(format_reference(reference) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.planning", description=main.__doc__
    )
    parser.add_argument(
        "--tables", type=Path, nargs="+", help="folders of tables; the shipped ones if left out"
    )
    parser.add_argument("--lines", type=Path, default=Path("planning.jsonl"), help="JSON lines")
    parser.add_argument("--out", type=Path, default=_SHIPPED, help="the reference (JSON)")
    return parser


if __name__ == "__main__":
    main()
