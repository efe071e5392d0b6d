"""Records from a database: the rows of one query, part by part, as the same text as in a file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

import pandas as pd
import pyarrow as pa

from synthesis.cells import Names, make_batch, pick, to_records
from synthesis.errors import InputError
from synthesis.record_sources import CHUNK
from synthesis.sql_engine import SqlQuery, connect
from synthesis.sql_errors import explain_sql_error

__all__ = ["read_query_batches", "read_query_parts"]


def read_query_parts(asked: SqlQuery, needed: Names = None) -> Iterator[pd.DataFrame]:
    """Yield the records of a query as tables of text; otherwise as ``read_query_batches``."""
    with closing(read_query_batches(asked, needed)) as batches:
        for batch in batches:
            yield from to_records(batch, CHUNK)


def read_query_batches(
    asked: SqlQuery, needed: Names = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield the records of a query, part by part; at least one batch.

    No more than one part is fetched at once, inside one read-only transaction.

    Args:
        asked: database, query and credentials.
        needed: columns to keep.

    Raises:
        InputError: if the database, the login or the query must be mended.
        SourceUnavailable: if the database cannot be reached, breaks off or takes too long.
    """
    from sqlalchemy.exc import SQLAlchemyError

    with closing(_fetch_parts(asked)) as parts:
        while True:
            try:
                part = next(parts, None)
            except (SQLAlchemyError, ModuleNotFoundError, UnicodeDecodeError) as error:
                failure = explain_sql_error(error)
            else:
                if part is None:
                    return
                yield pick(part, needed)
                continue
            raise failure  # only here, so that the database's own words do not hang on it


def _fetch_parts(asked: SqlQuery) -> Generator[pa.RecordBatch, None, None]:
    streaming = {"stream_results": True, "yield_per": CHUNK, "no_parameters": True}
    with connect(asked) as connection:
        with connection.exec_driver_sql(asked.query, execution_options=streaming) as result:
            names = [str(name) for name in result.keys()]
            _check_names(names)
            yield make_batch(names, [])
            for rows in result.partitions(CHUNK):
                yield make_batch(names, rows)


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"query returns more than one column named {name!r}; rename one with AS",
                argument="query",
            )
