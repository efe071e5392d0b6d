"""The two places where the command line writes, and how it writes there."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

screen = Console()
errors = Console(stderr=True)


def say(console: Console, line: str) -> None:
    """Write a line as it is: words from files are never taken for markup.

    A terminal breaks it between words; elsewhere it stays one line.
    """
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def make_table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    """Return a table with words in the ``left`` columns and then numbers in the ``right`` ones."""
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right")
    return table


def add_row(table: Table, cells: Sequence[str]) -> None:
    """Add a row of words as they are."""
    table.add_row(*(Text(cell) for cell in cells))


def format_bytes(count: int) -> str:
    """Return a size as people write it.

    >>> format_bytes(999), format_bytes(1_234_000)
    ('999 bytes', '1.2 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    kilo = count / 1000
    return f"{kilo:.1f} kB" if kilo < 1000 else f"{kilo / 1000:.1f} MB"
