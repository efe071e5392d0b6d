"""``python -m simulations.benchmarks.tabular``: run what is missing, then print the table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields
from itertools import product
from pathlib import Path

from simulations.benchmarks.tabular.baselines import BASELINES
from simulations.benchmarks.tabular.ours import BY_STRATEGY, OURS
from simulations.benchmarks.tabular.rows import Row, adult_rows, other_rows
from simulations.benchmarks.tabular.setting import Run, Setting
from simulations.benchmarks.tabular.table import format_table
from strategies.errors import StudyFailed
from synthesis import InputError
from synthesis.quality import marginal_distance, score

USUAL = BASELINES | OURS
METHODS = USUAL | BY_STRATEGY


def main(words: Sequence[str] | None = None) -> None:
    """Run every method on every seed that the file does not hold yet, and print all of it."""
    given = _parser().parse_args(words)
    try:
        for method in given.methods:
            check_method(method)
        runs = read_runs(given.out)
        with ExitStack() as stack:
            for row, seed in product(_choose_rows(given, stack), given.seeds):
                done = {run.method for run in runs if run.seed == seed and row.holds(run)}
                missing = [method for method in given.methods if method not in done]
                runs += _run(row, seed, missing, given.out) if missing else []
    except (InputError, StudyFailed, OSError) as error:
        sys.exit(f"benchmark: {error}")
    sys.stdout.write(format_table(runs) + "\n")


def check_method(method: str) -> None:
    """Raise InputError if there is no such method."""
    if method not in METHODS:
        raise InputError(
            f"methods must be some of {', '.join(METHODS)}, got {method!r}.", argument="methods"
        )


def run_method(setting: Setting, method: str) -> Run:
    """Make a table by one method and score it.

    Raises:
        InputError: if there is no such method, or it cannot be used here.
    """
    check_method(method)
    made = METHODS[method](setting)
    schema, train = setting.sites.schema, setting.sites.train
    quality = score(schema, made.table, train, setting.sites.test)
    three_way = marginal_distance(schema, made.table, train, min(3, len(schema.columns)))
    worst_site = max(
        marginal_distance(schema, made.of_sites.get(name, made.table), table, 2)
        for name, table in zip(setting.sites.names, setting.sites.tables, strict=True)
    )
    return Run.of(setting, method, made, quality, three_way=three_way, worst_site=worst_site)


def read_runs(path: Path) -> list[Run]:
    """Return the runs of an earlier call.

    Raises:
        InputError: if a line is not one of this benchmark, or was not finished.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [Run.from_dict(json.loads(line)) for line in text.splitlines()]
    except json.JSONDecodeError:
        raise InputError(
            f"{path} must hold one JSON object on each line; correct it or name another file.",
            argument="out",
        ) from None


def _parser() -> argparse.ArgumentParser:
    usual = Row()
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.tabular", description=main.__doc__
    )
    parser.add_argument(
        "--table",
        choices=["adult", "others"],
        help="run all settings of a table in docs/utility.md; the seven options below do not count",
    )
    parser.add_argument("--data", type=Path, help="CSV or Parquet; the shipped census if left out")
    parser.add_argument("--schema", type=Path, help="schema of --data (TOML)")
    parser.add_argument("--sites", type=int, default=usual.sites)
    parser.add_argument(
        "--partition",
        default=usual.partition,
        help="iid, sizes:7,2,1, dirichlet[:NAME] or column:NAME",
    )
    parser.add_argument("--alpha", type=float, help="Dirichlet concentration; 0.5 if left out")
    parser.add_argument("--epsilon", type=float, default=usual.epsilon)
    parser.add_argument("--delta", type=float, default=usual.delta)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(USUAL),
        metavar="METHOD",
        help=f"some of {', '.join(METHODS)}; the last {len(BY_STRATEGY)} only if they are named",
    )
    parser.add_argument("--out", type=Path, default=Path("benchmark.jsonl"), help="JSON lines")
    return parser


def _choose_rows(given: argparse.Namespace, stack: ExitStack) -> list[Row]:
    if given.table == "adult":
        return adult_rows()
    if given.table == "others":
        return other_rows(stack)
    return [Row(**{each.name: getattr(given, each.name) for each in fields(Row)})]


def _run(row: Row, seed: int, methods: Sequence[str], out: Path) -> list[Run]:
    setting = row.make_setting(seed)
    runs = []
    for method in methods:
        sys.stderr.write(f"{row.name}, epsilon {row.epsilon:g}, seed {seed}: {method}\n")
        runs.append(run_method(setting, method))
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(runs[-1].to_dict()) + "\n")
    return runs


if __name__ == "__main__":
    main()
