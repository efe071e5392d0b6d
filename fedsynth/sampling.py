"""More synthetic rows from a release: as a table, in parts, or into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from fedsynth.new_file import check_new_file
from synthesis import sampling
from synthesis.errors import InputError
from synthesis.model_files import load_generator
from synthesis.sample_files import write_sample as write_sharded
from synthesis.sharded_sample import Engine, ShardedSample, in_this_process
from synthesis.tables import FORMATS
from synthesis.worker_processes import WorkerProcesses

LOCAL, RAY = "local", "ray"
ENGINES: Final = (LOCAL, RAY)


def sample(
    release: str | Path, rows: int, *, where: Sequence[str] = (), seed: int = 0
) -> pd.DataFrame:
    """Draw synthetic rows from the generator in a release folder; free of further cost.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1.
        where: conditions such as ``"income=>50K"`` that every row meets.
        seed: the same seed gives the same rows.

    Raises:
        InputError: if the folder holds no generator or a condition is not possible.
    """
    generator, schema = load_generator(release)
    return sampling.sample_table(generator, schema, rows, seed=seed, where=where)


def sample_batches(
    release: str | Path, rows: int, *, where: Sequence[str] = (), seed: int = 0
) -> Iterator[pd.DataFrame]:
    """Draw the rows that ``sample`` gives in tables of at most 131,072 rows, one at a time.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1; memory does not grow with them.
        where: conditions such as ``"income=>50K"`` that every row meets.
        seed: the same seed gives the same rows.

    Raises:
        InputError: if the folder holds no generator or a condition is not possible.
    """
    generator, schema = load_generator(release)
    return sampling.sample_batches(generator, schema, rows, seed=seed, where=where)


def write_sample(
    release: str | Path,
    rows: int,
    out: str | Path,
    *,
    where: Sequence[str] = (),
    seed: int = 0,
    workers: int | None = None,
    engine: str = LOCAL,
    on_rows: Callable[[int], None] = lambda rows: None,
    on_note: Callable[[str], None] = lambda sentence: None,
) -> float:
    """Draw the rows that ``sample`` gives into a new file; memory does not grow with them.

    The file is the same for any number of workers and either engine. With several workers, a script
    must call this below ``if __name__ == "__main__":``.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1.
        out: file to write: .parquet, .csv or .csv.gz.
        where: conditions such as ``"income=>50K"`` that every row meets.
        seed: the same seed gives the same rows.
        workers: processes that draw; one if left out, or for Ray as many as it has processors.
        engine: ``"local"``, or ``"ray"`` for the Ray cluster that ``RAY_ADDRESS`` names or that
            runs here; without one, a Ray is started for this.
        on_rows: told from time to time how many rows are written.
        on_note: told in a sentence which Ray draws.

    Returns:
        How probable the conditions are under the generator; 1 without conditions.

    Raises:
        InputError: if something given cannot be used; nothing is written.
        OSError: if the file cannot be written; nothing is left of it.
        RuntimeError: if workers end before their time; nothing is left of the file.
    """
    out = Path(out)
    check_new_file(out, endings=FORMATS)
    drawn_by = _choose(engine, workers, on_note)
    generator, schema = load_generator(release)
    sharded = ShardedSample.of(generator, schema, rows, seed=seed, where=where)
    write_sharded(sharded, out, engine=drawn_by, on_rows=on_rows)
    return sharded.tables.probability


def _choose(engine: str, workers: int | None, on_note: Callable[[str], None]) -> Engine[Any]:
    if engine not in ENGINES:
        raise InputError(
            f"engine must be {' or '.join(ENGINES)}, got {engine!r}.", argument="engine"
        )
    if workers is not None and workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}.", argument="workers")
    if engine == RAY:
        from simulations.ray_sampling import RayWorkers  # Ray is an optional extra

        return RayWorkers(workers=workers, on_note=on_note)
    return WorkerProcesses(workers=workers) if workers and workers > 1 else in_this_process
