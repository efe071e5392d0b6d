"""A synthetic table that is not drawn yet: shards, each of which can be drawn alone and anywhere.

It holds tables of numbers and the schema, so it can be sent to a worker, which then needs no torch.
"""

from __future__ import annotations

import gzip
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from synthesis.arrow_cells import to_batch, to_csv
from synthesis.conditions import parse_condition, restrict
from synthesis.drawing import MixtureTables
from synthesis.encoding import Placed, place, to_frame
from synthesis.errors import InputError
from synthesis.schema import Schema
from synthesis.schema.cuts import Cuts

if TYPE_CHECKING:
    from synthesis.generator import Generator as Network

SHARD_ROWS = 1 << 17
MOST_ROWS = 10**10
"""More are a slip of the keyboard: they would be drawn for days and fill any disk."""
_GZIP_LEVEL = 6

T = TypeVar("T")
Engine = Callable[[Callable[[int], T], int], Generator[T, None, None]]
"""Calls a function with 0, 1, ... below a number, and gives what it returns in this order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shards(ABC):
    """Rows to come, in shards of a fixed number of rows.

    Every shard has a random stream of its own, made from the seed and its place, so the rows do not
    depend on who draws which shard when.

    Attributes:
        schema: what the rows obey.
        num_rows: rows of all shards, >= 1.
        seed: the same seed gives the same rows.
        stream: tells tables with the same seed apart that are parts of one.
        shard_rows: rows of every shard but the last; another number gives other rows.
    """

    schema: Schema
    num_rows: int
    seed: int
    stream: tuple[int, ...] = ()
    shard_rows: int = SHARD_ROWS

    @abstractmethod
    def draw_shard(self, index: int) -> list[Placed]:
        """Draw a shard as cells without a type."""

    @property
    def num_shards(self) -> int:
        """How many shards there are; the last may be smaller."""
        return ceil(self.num_rows / self.shard_rows)

    def rows_until(self, index: int) -> int:
        """Return the rows of all shards before this one."""
        return min(index * self.shard_rows, self.num_rows)

    def frame(self, index: int) -> pd.DataFrame:
        """Draw a shard as a table for pandas."""
        return to_frame(self.schema, self.draw_shard(index))

    def batch(self, index: int) -> pa.RecordBatch:
        """Draw a shard as an Arrow batch."""
        return to_batch(self.schema, self.draw_shard(index))

    def csv(self, index: int) -> bytes:
        """Draw a shard as lines of CSV."""
        return to_csv(self.schema, self.draw_shard(index))

    def zipped_csv(self, index: int) -> bytes:
        """Draw a shard as lines of CSV, compressed; such pieces may follow one another."""
        return zipped(self.csv(index))

    def rows_of(self, index: int) -> int:
        """Return the rows of a shard."""
        return self.rows_until(index + 1) - self.rows_until(index)

    def make_rng(self, index: int) -> np.random.Generator:
        """Return the random stream of a shard."""
        seed = np.random.SeedSequence(self.seed, spawn_key=(*self.stream, index))
        return np.random.default_rng(seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShardedSample(Shards):
    """Rows as a generator gives them, under conditions.

    Attributes:
        tables: what codes are drawn from.
        cuts: by column index, what conditions leave of cells that they cut.
    """

    tables: MixtureTables
    cuts: Mapping[int, Cuts]

    @classmethod
    def of(
        cls,
        generator: Network,
        schema: Schema,
        num_rows: int,
        *,
        seed: int = 0,
        where: Sequence[str] = (),
    ) -> Self:
        """Prepare a table; see ``synthesis.sampling.sample_table`` for what is asked.

        Raises:
            InputError: if ``num_rows`` or a condition is not possible.
        """
        check_size(num_rows, seed)
        left = restrict(schema, [parse_condition(text) for text in where])
        try:
            tables = generator.make_tables({index: each.shares for index, each in left.items()})
        except ValueError as error:
            raise InputError(f"where: {error}", argument="where") from None
        cuts = {index: each.cuts for index, each in left.items() if each.cuts is not None}
        return cls(schema=schema, tables=tables, cuts=cuts, num_rows=num_rows, seed=seed)

    @property
    def probability(self) -> float:
        """How probable the conditions are under the generator."""
        return self.tables.probability

    def draw_shard(self, index: int) -> list[Placed]:
        """Draw a shard as cells without a type."""
        rng = self.make_rng(index)
        return place(self.schema, self.tables.draw(self.rows_of(index), rng), rng, self.cuts)


def check_size(num_rows: int, seed: int, *, most: int = MOST_ROWS) -> None:
    """Raise InputError unless so many rows can be drawn at once, with such a seed."""
    if num_rows < 1:
        raise InputError(f"rows must be at least 1, got {num_rows}.", argument="rows")
    if num_rows > most:
        raise InputError(
            f"rows must be at most {most:,}, got {num_rows:,}; ask for fewer.",
            argument="rows",
        )
    if not 0 <= seed < 2**63:
        raise InputError(f"seed must be 0 or more and below 2^63, got {seed}.", argument="seed")


def zipped(text: bytes) -> bytes:
    """Return text as a whole gzip file, the same every time."""
    return gzip.compress(text, compresslevel=_GZIP_LEVEL, mtime=0)


def in_this_process(function: Callable[[int], T], count: int) -> Generator[T, None, None]:
    """Do the calls one after the other; the simplest ``Engine``."""
    yield from map(function, range(count))
