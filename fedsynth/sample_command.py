"""``fedsynth sample``: more rows from a release, into a new file, with a bar on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fedsynth.console import say
from fedsynth.sampling import write_sample

_QUIET_S: Final = 30.0
"""Where no bar can be drawn, a long run says so often how far it is."""


def sample_to_file(
    console: Console,
    release: Path,
    rows: int,
    *,
    out: Path,
    where: Sequence[str],
    seed: int,
    workers: int | None,
    engine: str,
) -> None:
    """Draw rows into a file and say what came of it.

    Raises:
        InputError: if something given cannot be used; then nothing is written.
        OSError: if the file cannot be written; then nothing is left of it.
        WorkersFailed: if worker processes end; then nothing is left of the file.
    """
    with RowProgress(console, rows) as progress:
        probability = write_sample(
            release,
            rows,
            out,
            where=where,
            seed=seed,
            workers=workers,
            engine=engine,
            on_rows=progress,
            on_note=lambda sentence: say(console, sentence),
        )
    condition = ""
    if where:
        condition = (
            f", where {' and '.join(where)} ({100 * probability:.3g} % of the generator's rows)"
        )
    say(console, f"{rows:,} rows in {out}{condition}; this spent nothing.")


class RowProgress:
    """Shows how many rows are written; use it as a context manager.

    Args:
        console: where to write; a bar appears only if it is a terminal, and goes at the end.
        rows: rows to come.
    """

    def __init__(self, console: Console, rows: int) -> None:
        self._console = console
        self._rows = rows
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

    def __enter__(self) -> RowProgress:
        if self._bar is not None and self._rows > 0:
            self._bar.add_task("", total=self._rows)
            self._bar.start()
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
        elif written < self._rows and monotonic() - self._said >= _QUIET_S:
            self._said = monotonic()
            seconds = self._said - self._started
            say(self._console, f"  {written:,} of {self._rows:,} rows, {seconds:.0f} s")
