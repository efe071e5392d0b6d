"""``python -m simulations.benchmarks.tabular``: run what is missing, then print the table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from privacy import Budget
from simulations.benchmarks.tabular.baselines import BASELINES
from simulations.benchmarks.tabular.ours import OURS
from simulations.benchmarks.tabular.setting import Run, Setting
from simulations.benchmarks.tabular.table import format_table
from simulations.demos import DEFAULT_DEMO
from simulations.partition import PartitionKind, parse_partition
from simulations.settings import SimulationSettings, read_settings
from simulations.sites import check_study, make_sites
from strategies.errors import StudyFailed
from synthesis import InputError
from synthesis.quality import marginal_distance, score

METHODS = BASELINES | OURS


def main(words: Sequence[str] | None = None) -> None:
    """Run every method on every seed that the file does not hold yet, and print all of it."""
    given = _parser().parse_args(words)
    try:
        for method in given.methods:
            check_method(method)
        runs = read_runs(given.out)
        for seed in given.seeds:
            missing = [m for m in given.methods if not _holds(runs, given, seed, m)]
            runs += _run(given, seed, missing) if missing else []
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
    return Run.of(setting, method, made, quality, three_way)


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
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.tabular", description=main.__doc__
    )
    parser.add_argument("--data", type=Path, help="CSV or Parquet; the shipped census if left out")
    parser.add_argument("--schema", type=Path, help="schema of --data (TOML)")
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument(
        "--partition", default="iid", help="iid, dirichlet, dirichlet:NAME or column:NAME"
    )
    parser.add_argument("--alpha", type=float, help="Dirichlet concentration; 0.5 if left out")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--out", type=Path, default=Path("benchmark.jsonl"), help="JSON lines")
    return parser


def _name(given: argparse.Namespace) -> str:
    return DEFAULT_DEMO if given.data is None else Path(given.data).name.partition(".")[0]


def _holds(runs: Sequence[Run], given: argparse.Namespace, seed: int, method: str) -> bool:
    wanted = (_name(given), given.partition, _alpha(given), given.epsilon, given.delta)
    return any(
        (run.data, run.partition, run.alpha, run.epsilon, run.delta) == wanted
        and (run.seed, run.method) == (seed, method)
        and (run.num_sites == given.sites or given.partition.startswith("column:"))
        for run in runs
    )


def _alpha(given: argparse.Namespace) -> float | None:
    """Return the concentration where it matters, for it is part of what a line tells."""
    if parse_partition(given.partition).kind is not PartitionKind.DIRICHLET:
        return None
    usual: float = SimulationSettings.model_fields["alpha"].default
    return usual if given.alpha is None else float(given.alpha)


def _run(given: argparse.Namespace, seed: int, methods: Sequence[str]) -> list[Run]:
    simulation = {"seed": seed, "partition": given.partition}
    if not given.partition.startswith("column:"):
        simulation["sites"] = given.sites
    source = ("data", "schema", "alpha")
    simulation |= {k: v for k, v in vars(given).items() if k in source and v is not None}
    budget = {"epsilon": given.epsilon, "delta": given.delta}
    _, settings = read_settings(None, study=budget, simulation=simulation)
    setting = Setting(
        data=_name(given),
        sites=make_sites(settings),
        partition=given.partition,
        alpha=_alpha(given),
        budget=Budget(**budget),
        seed=seed,
    )
    check_study(setting.make_study(), setting.sites)
    runs = []
    for method in methods:
        sys.stderr.write(f"seed {seed}: {method}\n")
        runs.append(run_method(setting, method))
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(runs[-1].to_dict()) + "\n")
    return runs


if __name__ == "__main__":
    main()
