"""The release folder: synthetic data, generator, schema, report and receipts, as one whole.

It is signed when all of it is there (`server.attestation`).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd

from server.attestation.canaries import CANARIES_FILE, CanaryStatement
from server.attestation.folder import check_outside
from server.croissant import write_croissant
from server.data_card import write_data_card
from server.report import Report, write_report
from synthesis import InputError
from synthesis.durable_file import sync_folder
from synthesis.generator import Generator
from synthesis.model_files import save_generator
from synthesis.schema import Schema, dump_schema
from synthesis.tables import write_table

SYNTHETIC_FILE = "synthetic.parquet"
SCHEMA_FILE = "schema.toml"
RECEIPTS_FOLDER = "receipts"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,62}[A-Za-z0-9]|[A-Za-z0-9]")


def check_output(folder: Path) -> None:
    """Raise InputError unless a release can be put at ``folder``: nothing there, or empty.

    Nor may it lie in another release.
    """
    check_outside(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        _check_writable(folder)
    elif folder.exists() or folder.is_symlink():
        raise InputError(
            f"out must be a new or empty folder, and {folder} is not; name another one or move it "
            "away.",
            argument="out",
        )
    else:
        _check_writable(_nearest_folder(folder))


def clear_staging(target: Path) -> None:
    """Remove what a process left that was killed while it wrote a release to ``target``.

    Call it only when no other process writes there.
    """
    form = re.compile(re.escape(f".{target.name}-") + r"[a-z0-9_]{8}")
    for place in (target.absolute().parent, target):
        for path in place.iterdir() if place.is_dir() else ():
            if form.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)


def _nearest_folder(folder: Path) -> Path:
    """Return the first thing that exists on the way up from ``folder``."""
    return next(parent for parent in folder.absolute().parents if os.path.lexists(parent))


def _check_writable(place: Path) -> None:
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise InputError(
            f"out must be where you may write, and {place} is no folder or may not be written to; "
            "choose another place.",
            argument="out",
        )


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder near ``target`` whose content becomes ``target``'s when all went well.

    A new target appears as one whole. An empty folder that is there already, which may be a mount
    or the working directory, is filled file by file. When something fails, the target is as it
    was, and so are the folders above it.
    """
    check_output(target)
    is_new = not target.exists()
    place = target.absolute().parent if is_new else target
    created = _make_missing(place)
    staging: Path | None = None
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=place))
        yield staging
        _see_onto_the_disk(staging)
        if is_new:
            check_output(target)
            staging.chmod(0o755)
            os.replace(staging, target)
        else:
            _move_content(staging, target)
        sync_folder(place)
    except BaseException:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in created:
            with suppress(OSError):  # somebody else put something there
                folder.rmdir()
        raise


def _see_onto_the_disk(folder: Path) -> None:
    """Let a power cut find all of a release or nothing."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def _make_missing(folder: Path) -> list[Path]:
    """Create a folder and those above it, and return the new ones, the deepest first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
    return missing


def _move_content(staging: Path, target: Path) -> None:
    """Move everything out of ``staging`` into its parent ``target``, or nothing."""
    moved: list[Path] = []
    try:
        for path in sorted(staging.iterdir()):
            os.rename(path, target / path.name)
            moved.append(target / path.name)
        staging.rmdir()
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def write_release(
    folder: Path,
    *,
    table: pd.DataFrame,
    generator: Generator,
    schema: Schema,
    report: Report,
    canaries: CanaryStatement | None = None,
) -> None:
    """Write all files of a release into an existing folder.

    Args:
        folder: an empty one.
        table: the synthetic rows.
        generator: that they are from.
        schema: public.
        report: what is said of them.
        canaries: what is opened of the sites' canaries, if any site planted some.
    """
    write_table(table, folder / SYNTHETIC_FILE)
    save_generator(folder, generator, schema)
    (folder / SCHEMA_FILE).write_text(dump_schema(schema), encoding="utf-8")
    write_report(report, folder)
    write_data_card(folder, report)
    write_croissant(folder, SYNTHETIC_FILE, schema, report)
    write_receipts(report, folder / RECEIPTS_FOLDER)
    if canaries is not None:
        (folder / CANARIES_FILE).write_text(canaries.to_text(), encoding="utf-8")


def write_receipts(report: Report, folder: Path) -> None:
    """Write the last receipt of each site's ledger, if any is held, one line in one file each.

    Files are called by the sites, or by their numbers in the report, from 1, if a name of any site
    could not be the name of a file everywhere.
    """
    held = {n: site for n, site in enumerate(report.sites, start=1) if site.receipt is not None}
    if not held:
        return
    folder.mkdir()
    names = [site.name for site in report.sites]
    distinct = {name.lower() for name in names}
    by_name = len(distinct) == len(names) and all(_PLAIN.fullmatch(name) for name in names)
    for number, site in held.items():
        if site.receipt is not None:
            name = site.name if by_name else f"site-{number}"
            (folder / f"{name}.txt").write_text(f"{site.receipt.text}\n", encoding="ascii")
