"""``python -m simulations.benchmarks.sketch``: one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from simulations.benchmarks.sketch.measuring import measure_apart
from simulations.benchmarks.sketch.pretraining import measure_fits
from simulations.benchmarks.sketch.tables import ENDINGS, rows_in_postgresql, write_rows

_FITS = [(10**4, 1), (10**7, 1), (10**4, 1000), (10**7, 1000)]


def main(words: Sequence[str] | None = None) -> None:
    """Measure how a site comes to its sketch, or how a generator is fitted to the sum of them."""
    given = _parser().parse_args(words)
    if given.fits:
        sys.stdout.write(json.dumps([asdict(each) for each in measure_fits(_FITS)]) + "\n")
        return
    if given.url:
        with rows_in_postgresql(given.url, given.rows):
            figures = measure_apart(given.url, hold_out=given.hold_out, repeats=given.repeats)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"records.{given.format}"
            write_rows(path, given.rows)
            figures = measure_apart(path, hold_out=given.hold_out, repeats=given.repeats)
    line = {
        "format": "postgresql" if given.url else given.format,
        "hold_out": given.hold_out,
        **asdict(figures),
    }
    sys.stdout.write(json.dumps(line) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulations.benchmarks.sketch", description=main.__doc__
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="records (1,000,000)")
    parser.add_argument("--format", choices=ENDINGS, default="parquet", help="of the file")
    parser.add_argument(
        "--url",
        help="a PostgreSQL database instead of a file, postgresql://host:port/name; the table "
        "is made there and dropped; user and password in PGUSER and PGPASSWORD",
    )
    parser.add_argument("--hold-out", type=float, default=0.0, help="share held out (0)")
    parser.add_argument("--repeats", type=int, default=1, help="the least of them counts (1)")
    parser.add_argument(
        "--fits", action="store_true", help="time fits to sums of sketches instead, by their size"
    )
    return parser


if __name__ == "__main__":
    main()
