"""A sharded sample into a file: shard after shard, so that memory does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from synthesis.arrow_cells import arrow_schema, csv_header
from synthesis.durable_file import whole_file
from synthesis.sharded_sample import Engine, ShardedSample, in_this_process, zipped
from synthesis.tables import format_of

OnRows = Callable[[int], None]


def write_sample(
    sample: ShardedSample,
    path: Path,
    *,
    engine: Engine[Any] = in_this_process,
    on_rows: OnRows = lambda rows: None,
) -> None:
    """Draw a sample into .csv, .csv.gz or .parquet; the file appears whole at the end, or not.

    The same sample gives the same bytes, whatever the engine.

    Args:
        sample: the rows to come.
        path: the file.
        engine: who draws the shards.
        on_rows: told after every shard how many rows are written.

    Raises:
        InputError: if the name of the file ends in none of these.
        OSError: if it cannot be written.
    """
    kind = format_of(path, argument="out")
    with whole_file(path) as file:
        if kind == ".parquet":
            _write_parquet(sample, file, engine, on_rows)
        else:
            _write_csv(sample, file, engine, on_rows, is_zipped=kind == ".csv.gz")


def _write_parquet(
    sample: ShardedSample, file: BinaryIO, engine: Engine[Any], on_rows: OnRows
) -> None:
    with _parquet_writer(file, arrow_schema(sample.schema)) as writer:
        for batch in _shards(sample, sample.batch, engine, on_rows):
            writer.write_batch(batch)


def _write_csv(
    sample: ShardedSample,
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
    sample: ShardedSample, function: Callable[[int], Any], engine: Engine[Any], on_rows: OnRows
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
