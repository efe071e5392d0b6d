"""Time and memory from a site's file to the exact counts of its sketch."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from client.data_source import SqlSource, read_parts
from simulations.benchmarks.sketch.tables import TABLE
from simulations.demos import DEFAULT_DEMO, load_demo_schema
from synthesis.encoding import needed_columns, read_units
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Schema
from synthesis.units import Units

_KEY = bytes(32)
_QUERY = f"SELECT * FROM {TABLE}"
_ROWS_AT_ONCE = 10_000
_APART = "import sys; from simulations.benchmarks.sketch.measuring import tell; tell(*sys.argv[1:])"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one file took.

    Attributes:
        rows: records of the file.
        seconds: reading, encoding and counting, the least of all repeats.
        rows_per_second: rows over seconds.
        processor_seconds: the same on all processors together, which other programs disturb less.
        ratio: processor time over that of reading the same cells with pyarrow (databases: their
            drivers) and doing nothing with them; the least of each, taken in turns.
        peak_mib: the most memory the process has had, all that it imports included, before anything
            else was read in it.
    """

    rows: int
    seconds: float
    rows_per_second: float
    processor_seconds: float
    ratio: float
    peak_mib: float


def measure(place: Path | str, *, hold_out: float = 0.0, repeats: int = 1) -> Figures:
    """Measure here; ``peak_mib`` holds whatever this process has done before.

    Args:
        place: a file as ``write_rows`` writes it, or the URL of a database as
            ``rows_in_postgresql`` fills it.
        hold_out: share of records that are held out.
        repeats: how often both are done.
    """
    schema = load_demo_schema(DEFAULT_DEMO)
    taken, bare, rows, peak = [], [], 0, 0.0
    for _ in range(repeats):
        began, began_processor = perf_counter(), process_time()
        units = _sketch(place, schema, hold_out)
        taken.append((perf_counter() - began, process_time() - began_processor))
        rows, peak = units.n_units, peak or _peak_mib()
        del units
        bare.append(_processor_seconds(lambda: _only_read(place, schema)))
    seconds = min(wall for wall, _ in taken)
    processor_seconds = min(processor for _, processor in taken)
    return Figures(
        rows=rows,
        seconds=round(seconds, 3),
        rows_per_second=round(rows / seconds),
        processor_seconds=round(processor_seconds, 3),
        ratio=round(processor_seconds / min(bare), 2),
        peak_mib=round(peak, 1),
    )


def measure_apart(place: Path | str, *, hold_out: float = 0.0, repeats: int = 1) -> Figures:
    """Measure in a process of its own, so that ``peak_mib`` is that of a site alone."""
    words = [sys.executable, "-c", _APART, str(place), str(hold_out), str(repeats)]
    said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Figures(**json.loads(said))


def tell(place: str, hold_out: str, repeats: str) -> None:
    """Measure and write the figures as JSON."""
    figures = measure(place, hold_out=float(hold_out), repeats=int(repeats))
    sys.stdout.write(json.dumps(asdict(figures)))


def _sketch(place: Path | str, schema: Schema, hold_out: float) -> Units:
    """Do what a site does, but for the noise; return all units."""
    source = _find_source(str(place))
    units = read_units(schema, read_parts(source, Path(), needed_columns(schema)))
    training, _ = units.split(_KEY, hold_out)
    compute_sketch(SketchLayout.from_schema(schema), training.codes)
    return units


def _find_source(place: str) -> str | SqlSource:
    url = f"sqlite:///{Path(place).absolute()}" if place.endswith(".sqlite") else place
    if "://" not in url:
        return str(Path(place).absolute())
    return SqlSource(url=url, query=_QUERY, dataset="a")


def _only_read(place: Path | str, schema: Schema) -> None:
    names = needed_columns(schema)
    match str(place).rpartition(".")[2]:
        case "parquet":
            with pq.ParquetFile(place) as file:
                for _ in file.iter_batches(columns=names):
                    pass
        case "csv":
            options = pa_csv.ConvertOptions(include_columns=names)
            with pa_csv.open_csv(place, convert_options=options) as batches:
                for _ in batches:
                    pass
        case "sqlite":
            with closing(sqlite3.connect(place)) as connection:
                for _ in connection.execute(_QUERY):
                    pass
        case _:
            import psycopg  # an optional extra

            with psycopg.connect(str(place)) as database, database.cursor("rows") as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                for _ in cursor.execute(_QUERY):
                    pass


def _processor_seconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began


def _peak_mib() -> float:
    """Return what the kernel counted; ``getrusage`` would count the parent's memory as well."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")
