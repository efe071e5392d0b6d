"""From a generator to a synthetic table, in the types and values that the schema declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from synthesis.generator import Generator
from synthesis.schema import Schema
from synthesis.sharded_sample import ShardedSample


def sample_table(
    generator: Generator,
    schema: Schema,
    num_rows: int,
    *,
    seed: int = 0,
    where: Sequence[str] = (),
) -> pd.DataFrame:
    """Draw a synthetic table; post-processing, so any number of rows is free.

    Args:
        generator: the global generator.
        schema: its schema.
        num_rows: rows to draw, >= 1.
        seed: the same seed gives the same table.
        where: conditions such as ``"income=>50K"`` or ``"age>=30"``, all of which hold in every
            row; sampled exactly, not by rejection.

    Raises:
        InputError: if ``num_rows`` or a condition is not possible.
    """
    batches = list(sample_batches(generator, schema, num_rows, seed=seed, where=where))
    return batches[0] if len(batches) == 1 else pd.concat(batches, ignore_index=True)


def sample_batches(
    generator: Generator,
    schema: Schema,
    num_rows: int,
    *,
    seed: int = 0,
    where: Sequence[str] = (),
) -> Iterator[pd.DataFrame]:
    """Draw the same rows as ``sample_table`` in parts of some 100,000 rows, one at a time.

    Raises:
        InputError: at once, if ``num_rows`` or a condition is not possible.
    """
    sample = ShardedSample.of(generator, schema, num_rows, seed=seed, where=where)
    return map(sample.frame, range(sample.num_shards))
