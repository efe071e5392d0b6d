"""The release folder: synthetic data, generator, schema and report, written as one whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from server.report import Report, write_report
from synthesis import InputError
from synthesis.generator import Generator
from synthesis.model_files import save_generator
from synthesis.schema import Schema, dump_schema
from synthesis.tables import write_table

SYNTHETIC_FILE = "synthetic.parquet"
SCHEMA_FILE = "schema.toml"


def check_output(folder: Path) -> None:
    """Raise InputError unless a release can be put at ``folder``: nothing there, or empty."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise InputError(
            f"out must be a new or empty folder, and {folder} is not; name another one or move it "
            "away.",
            argument="out",
        )


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside ``target`` that becomes ``target`` when all went well.

    When something fails, the hidden folder is removed and ``target`` is as it was.
    """
    check_output(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield staging
        staging.chmod(0o755)
        check_output(target)
        os.replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_release(
    folder: Path, *, table: pd.DataFrame, generator: Generator, schema: Schema, report: Report
) -> None:
    """Write all files of a release into an existing folder."""
    write_table(table, folder / SYNTHETIC_FILE)
    save_generator(folder, generator, schema)
    (folder / SCHEMA_FILE).write_text(dump_schema(schema), encoding="utf-8")
    write_report(report, folder)
