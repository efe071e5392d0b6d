"""``python -m simulations.benchmarks.strategies``: run what the file lacks, or print its tables."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from privacy import Budget
from server.study import parse_study
from simulations.benchmarks.strategies.dealing import ALPHAS, PARTITIONS, Source, deal
from simulations.benchmarks.strategies.line import Case, Figures, Line, add_line, read_lines
from simulations.benchmarks.strategies.methods import (
    STRATEGIES,
    Fits,
    check_strategy,
    make_rows,
)
from simulations.benchmarks.strategies.table import format_tables
from simulations.benchmarks.tabular import Setting
from simulations.sites import check_study
from strategies.errors import StudyFailed
from synthesis import InputError

DELTA = 1e-5
_UNKNOWN = "unknown"
_DIRTY = "-dirty"


def main(
    words: Sequence[str] | None = None,
    *,
    source: Source | None = None,
    study: dict[str, int] | None = None,
) -> None:
    """Run every strategy on every partition that the file does not hold yet.

    Args:
        words: of the command line.
        source: rows instead of the shipped census.
        study: settings over the usual ones.
    """
    given = _parser().parse_args(words)
    try:
        lines = read_lines(given.out)
        if given.table:
            sys.stdout.write(format_tables(lines))
            return
        _check(given)
        done = {line.case for line in lines}
        rows = source or Source.of_census()
        missing = [case for case in _cases(given, rows.name) if case not in done]
        with tempfile.TemporaryDirectory(prefix="fedsynth-") as folder:
            fits = find_fits(_commit(), given.keep, Path(folder))
            for number, case in enumerate(missing, start=1):
                sys.stderr.write(f"{number} of {len(missing)}: {_words(case)}\n")
                add_line(given.out, _run(case, rows, fits, study or {}))
    except (InputError, StudyFailed, OSError) as error:
        sys.exit(f"benchmark: {error}")


def _check(given: argparse.Namespace) -> None:
    """Raise InputError for what would end the benchmark after hours."""
    for strategy in given.strategies:
        check_strategy(strategy)
    for epsilon, seed in product(given.epsilon, given.seeds):
        parse_study({"epsilon": epsilon, "delta": DELTA, "seed": seed})


def _run(case: Case, source: Source, fits: Fits, study: dict[str, int]) -> Line:
    setting = Setting(
        data=case.data,
        sites=deal(source, case.partition, num_sites=case.sites, seed=case.seed),
        partition=case.partition,
        budget=Budget(epsilon=case.epsilon, delta=case.delta),
        seed=case.seed,
        study=study,
        alpha=ALPHAS.get(case.partition),
    )
    check_study(setting.make_study(), setting.sites)
    began = time.monotonic()
    made = make_rows(setting, case.strategy, fits)
    seconds = time.monotonic() - began
    return Line(case=case, figures=Figures.of(setting, made, seconds=seconds, commit=fits.code))


def _cases(given: argparse.Namespace, data: str) -> Iterator[Case]:
    for sites, epsilon, seed, partition, strategy in product(
        given.sites, given.epsilon, given.seeds, given.partitions, given.strategies
    ):
        yield Case(
            data=data,
            sites=sites,
            epsilon=epsilon,
            delta=DELTA,
            seed=seed,
            partition=partition,
            strategy=strategy,
        )


def find_fits(commit: str, keep: Path | None, passing: Path) -> Fits:
    """Return where fits are: for later calls only where the commit says all of the code."""
    is_known = commit != _UNKNOWN and not commit.endswith(_DIRTY)
    return Fits(folder=keep if keep is not None and is_known else passing, code=commit)


def _words(case: Case) -> str:
    return (
        f"{case.sites} sites, epsilon {case.epsilon:g}, seed {case.seed}, {case.partition}: "
        f"{case.strategy}"
    )


def _commit() -> str:
    """Return what git says of the code, or that nothing does."""
    command = ["git", "describe", "--always", f"--dirty={_DIRTY}", "--exclude", "*"]
    try:
        said = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return _UNKNOWN
    return said.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.strategies",
        description="Run every strategy on every partition that the file does not hold yet.",
    )
    parser.add_argument("--out", type=Path, default=Path("strategies.jsonl"), help="JSON lines")
    parser.add_argument("--table", action="store_true", help="run nothing, print the tables")
    parser.add_argument("--sites", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--partitions", nargs="+", default=list(PARTITIONS), metavar="PARTITION")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder for fits, for later calls of the same commit without changes",
    )
    return parser


if __name__ == "__main__":
    main()
