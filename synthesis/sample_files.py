"""A sharded sample into a file: shard after shard, so that memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from synthesis.arrow_cells import arrow_schema, csv_header
from synthesis.durable_file import whole_file
from synthesis.sharded_sample import Engine, Shards, in_this_process, zipped
from synthesis.tables import format_of

OnRows = Callable[[int], None]


def write_sample(
    sample: Shards,
    path: Path,
    *,
    engine: Engine[Any] = in_this_process,
    on_rows: OnRows = lambda rows: None,
    record: str | None = None,
) -> None:
    """Draw a sample into .csv, .csv.gz or .parquet; the file appears whole at the end, or not.

    The same sample gives the same bytes, whatever the engine.

    Args:
        sample: the rows to come.
        path: the file.
        engine: who draws the shards.
        on_rows: told after every shard how many rows are written.
        record: what is to stand beside the rows about where they come from, as JSON: in Parquet the
            metadata ``fedsynth``, beside CSV a file of its own (``record_path``).

    Raises:
        InputError: if the name of the file ends in none of these.
        OSError: if it cannot be written.
    """
    kind = format_of(path, argument="out")
    beside = record_path(path)
    with ExitStack() as files:
        if record is not None and beside is not None:
            files.enter_context(whole_file(beside)).write(record.encode() + b"\n")
        file = files.enter_context(whole_file(path))
        if kind == ".parquet":
            _write_parquet(sample, file, engine, on_rows, record)
        else:
            _write_csv(sample, file, engine, on_rows, is_zipped=kind == ".csv.gz")


def record_path(path: Path) -> Path | None:
    """Return the file for the record of a sample; None where the file itself has a place for it."""
    if format_of(path, argument="out") == ".parquet":
        return None
    return path.with_name(f"{path.name}.provenance.json")


def _write_parquet(
    sample: Shards, file: BinaryIO, engine: Engine[Any], on_rows: OnRows, record: str | None
) -> None:
    with _parquet_writer(file, arrow_schema(sample.schema)) as writer:
        if record is not None:
            writer.add_key_value_metadata({"fedsynth": record})
        for batch in _shards(sample, sample.batch, engine, on_rows):
            writer.write_batch(batch)


def _write_csv(
    sample: Shards,
    file: BinaryIO,
    engine: Engine[Any],
    on_rows: OnRows,
    *,
    is_zipped: bool,
) -> None:
    header = csv_header(sample.schema)
    file.write(zipped(header) if is_zipped else header)
    function = sample.zipped_csv if is_zipped else sample.csv
    for text in _shards(sample, function, engine, on_rows):
        file.write(text)


def _shards(
    sample: Shards, function: Callable[[int], Any], engine: Engine[Any], on_rows: OnRows
) -> Iterator[Any]:
    """Yield the shards in order, and let the engine go at the end, however it comes."""
    with closing(engine(function, sample.num_shards)) as drawn:
        for index, shard in enumerate(drawn):
            yield shard
            on_rows(sample.rows_until(index + 1))


@contextmanager
def _parquet_writer(file: BinaryIO, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    # Without the Arrow schema in the file, levels read back as text and not as a dictionary.
    writer = pq.ParquetWriter(file, schema, store_schema=False)
    try:
        writer.add_key_value_metadata(schema.metadata)  # which types pandas is to make of it
        yield writer
        writer.close()
    finally:
        writer.is_open = False  # or a failed writer would write to the file once more when it goes
