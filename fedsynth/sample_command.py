"""``fedsynth sample``: more rows from a release, into a new file, with a bar on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fedsynth.as_signed import is_unsigned
from fedsynth.console import say
from fedsynth.mixing_view import sentences_about
from fedsynth.sampling import write_sample
from synthesis import InputError
from synthesis.images.model_files import is_of_images
from synthesis.mixing import Mixing

_UNSIGNED: Final = "nothing shows whether its generator is what was published."
_QUIET_S: Final = 30.0
"""Where no bar can be drawn, a long run says so often how far it is."""


def sample_to_file(
    console: Console,
    release: Path,
    rows: int | None,
    *,
    out: Path,
    where: Sequence[str],
    seed: int,
    workers: int | None,
    engine: str,
    mixing: Mixing,
) -> None:
    """Draw rows into a file and say what came of it.

    Raises:
        InputError: if something given cannot be used; then nothing is written.
        OSError: if the file cannot be written; then nothing is left of it.
        WorkersFailed: if worker processes end; then nothing is left of the file.
    """
    if is_unsigned(release):
        say(console, f"{release} has no signed statement: {_UNSIGNED}")
    if is_of_images(release):
        _sample_images(console, release, rows, out, where, seed, mixing)
        return
    records: list[Mapping[str, Any]] = []

    def keep(record: Mapping[str, Any]) -> None:
        records.append(record)
        progress.expect(record["rows"])

    with RowProgress(console) as progress:
        if rows is not None and not mixing.is_asked:
            progress.expect(rows)
        probability = write_sample(
            release,
            rows,
            out,
            where=where,
            seed=seed,
            workers=workers,
            engine=engine,
            mixing=mixing,
            on_rows=progress,
            on_note=lambda sentence: say(console, sentence),
            on_record=keep,
        )
    condition = ""
    if where:
        condition = (
            f", where {' and '.join(where)} ({100 * probability:.3g} % of the generator's rows)"
        )
    say(console, f"{progress.rows:,} rows in {out}{condition}; this spent nothing.")
    for record in records:
        for sentence in sentences_about(record):
            say(console, sentence)


def _sample_images(
    console: Console,
    release: Path,
    rows: int | None,
    out: Path,
    where: Sequence[str],
    seed: int,
    mixing: Mixing,
) -> None:
    from fedsynth.image_sampling import write_images  # it waits for torch

    if mixing.is_asked:
        raise InputError(
            "mixing is for tables; of images, --where class=NAME draws one class.", argument="mix"
        )
    number = write_images(release, rows, out, where=where, seed=seed)
    say(console, f"{number:,} images in {out}; this spent nothing.")


class RowProgress:
    """Shows how many rows are written; use it as a context manager.

    Args:
        console: where to write; a bar appears only if it is a terminal, and goes at the end.

    Attributes:
        rows: rows to come, as far as ``expect`` was told.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.rows = 0
        self._started = self._said = monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("drawing"),
                BarColumn(bar_width=28),
                TextColumn("{task.completed:,} of {task.total:,} rows"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )

    def expect(self, rows: int) -> None:
        """Be told how many rows are to come, before the first of them."""
        self.rows = rows
        if self._bar is not None and rows > 0:
            self._bar.add_task("", total=rows)
            self._bar.start()

    def __enter__(self) -> RowProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, written: int) -> None:
        """Show that so many rows are written."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=written)
        elif written < self.rows and monotonic() - self._said >= _QUIET_S:
            self._said = monotonic()
            seconds = self._said - self._started
            say(self._console, f"  {written:,} of {self.rows:,} rows, {seconds:.0f} s")
