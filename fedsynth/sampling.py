"""More synthetic rows from a release: as a table, in parts, or into a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from client.version import software_version
from fedsynth.as_signed import check_as_signed
from fedsynth.image_sampling import sample_image_table, write_images
from fedsynth.new_file import check_new_file
from synthesis.errors import InputError
from synthesis.images.model_files import is_of_images
from synthesis.mixing import Mixing
from synthesis.mixing.mixed_sample import Mixed
from synthesis.model_files import load_generator
from synthesis.sample_files import record_path
from synthesis.sample_files import write_sample as write_shards
from synthesis.sharded_sample import SHARD_ROWS, Engine, ShardedSample, in_this_process
from synthesis.tables import FORMATS
from synthesis.worker_processes import WorkerProcesses

LOCAL, RAY = "local", "ray"
ENGINES: Final = (LOCAL, RAY)


def sample(
    release: str | Path,
    rows: int | None = None,
    *,
    where: Sequence[str] = (),
    seed: int = 0,
    mixing: Mixing | None = None,
) -> pd.DataFrame:
    """Draw synthetic rows from the generator in a release folder; free of further cost.

    A release of images gives a table with the columns ``image``, arrays of uint8, and ``class``.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1; left out with a schedule, which says how many.
        where: conditions such as ``"income=>50K"`` that every row meets; of images ``"class=3"``.
        seed: the same seed gives the same rows.
        mixing: what the composition of the rows is to be; as the generator has it if left out.

    Raises:
        InputError: if the folder holds no generator or something asked for is not possible.
    """
    batches = list(sample_batches(release, rows, where=where, seed=seed, mixing=mixing))
    return batches[0] if len(batches) == 1 else pd.concat(batches, ignore_index=True)


def sample_batches(
    release: str | Path,
    rows: int | None = None,
    *,
    where: Sequence[str] = (),
    seed: int = 0,
    mixing: Mixing | None = None,
) -> Iterator[pd.DataFrame]:
    """Draw the rows that ``sample`` gives in tables of at most 131,072 rows, one at a time.

    Images are all drawn before the first table is there.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1; memory does not grow with them. Left out with a schedule.
        where: conditions such as ``"income=>50K"`` that every row meets.
        seed: the same seed gives the same rows.
        mixing: what the composition of the rows is to be; as the generator has it if left out.

    Raises:
        InputError: if the folder holds no generator or something asked for is not possible.
    """
    if is_of_images(Path(release)):
        _check_no_mixing(mixing)
        table = sample_image_table(Path(release), rows, where=where, seed=seed)
        starts = range(0, len(table), SHARD_ROWS)
        return (table[at : at + SHARD_ROWS].reset_index(drop=True) for at in starts)
    prepared = _prepare(release, rows, where=where, seed=seed, mixing=mixing)
    shards = prepared.sample if isinstance(prepared, Mixed) else prepared
    return map(shards.frame, range(shards.num_shards))


def write_sample(
    release: str | Path,
    rows: int | None,
    out: str | Path,
    *,
    where: Sequence[str] = (),
    seed: int = 0,
    workers: int | None = None,
    engine: str = LOCAL,
    mixing: Mixing | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
    on_note: Callable[[str], None] = lambda sentence: None,
    on_record: Callable[[Mapping[str, Any]], None] = lambda record: None,
) -> float:
    """Draw the rows that ``sample`` gives into a new file; memory does not grow with them.

    The file is the same for any number of workers and either engine. With several workers, a script
    must call this below ``if __name__ == "__main__":``.

    Args:
        release: folder that a study wrote.
        rows: rows to draw, >= 1; None with a schedule, which says how many.
        out: file to write: .parquet, .csv or .csv.gz; of images .npz, or .png for a grid.
        where: conditions such as ``"income=>50K"`` that every row meets.
        seed: the same seed gives the same rows.
        workers: processes that draw; one if left out, or for Ray as many as it has processors.
        engine: ``"local"``, or ``"ray"`` for the Ray cluster that ``RAY_ADDRESS`` names or that
            runs here; without one, a Ray is started for this.
        mixing: what the composition of the rows is to be. What was asked and what came of it is
            then recorded: in Parquet as the metadata ``fedsynth``, beside CSV in a file
            ``OUT.provenance.json``.
        on_rows: told from time to time how many rows are written.
        on_note: told in a sentence which Ray draws.
        on_record: told what is recorded, before rows are written.

    Returns:
        How probable the conditions are under the generator; 1 without conditions and of images,
        whose class is chosen.

    Raises:
        InputError: if something given cannot be used; nothing is written.
        OSError: if the file cannot be written; nothing is left of it.
        RuntimeError: if workers end before their time; nothing is left of the file.
    """
    out = Path(out)
    if is_of_images(Path(release)):
        _check_no_mixing(mixing)
        on_rows(write_images(Path(release), rows, out, where=where, seed=seed))
        return 1.0
    check_new_file(out, endings=FORMATS)
    drawn_by = _choose(engine, workers, on_note)
    prepared = _prepare(release, rows, where=where, seed=seed, mixing=mixing)
    if isinstance(prepared, Mixed):
        text = _record(prepared, Path(release), out, on_record)
        write_shards(prepared.sample, out, engine=drawn_by, on_rows=on_rows, record=text)
    else:
        write_shards(prepared, out, engine=drawn_by, on_rows=on_rows)
    return prepared.probability


def _check_no_mixing(mixing: Mixing | None) -> None:
    if mixing is not None and mixing.is_asked:
        raise InputError(
            "mixing is for tables; of images, where=['class=NAME'] draws one class.",
            argument="mixing",
        )


def _prepare(
    release: str | Path,
    rows: int | None,
    *,
    where: Sequence[str],
    seed: int,
    mixing: Mixing | None,
) -> ShardedSample | Mixed:
    """Return the rows to come, and what they consist of if that was chosen."""
    generator, schema = load_generator(release)
    check_as_signed(Path(release))
    if mixing is not None and mixing.is_asked:
        return Mixed.of(generator, schema, rows, mixing=mixing, seed=seed, where=where)
    if rows is None:
        raise InputError("rows are needed; say how many, or give a schedule.", argument="rows")
    return ShardedSample.of(generator, schema, rows, seed=seed, where=where)


def _record(
    mixed: Mixed, release: Path, out: Path, on_record: Callable[[Mapping[str, Any]], None]
) -> str:
    """Return what is recorded about rows as text."""
    from synthesis.mixing.record import make_record, to_json  # scikit-learn comes with it

    beside = record_path(out)
    if beside is not None and beside.exists():
        raise InputError(
            f"out must not have a file {beside.name} beside it yet; name another file.",
            argument="out",
        )
    record = make_record(mixed, release, version=software_version())
    on_record(record)
    return to_json(record)


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
