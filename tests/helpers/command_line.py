"""Run the command line in this process, the way a shell would see it."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fedsynth import cli

TINY = "rounds = 1\ndiscriminator_steps = 2\ngenerator_steps = 1\nfit_steps = 5\n"
SCHEMA = """
name = "visits"
label = "sick"
ignore = ["clinic"]

[unit]
kind = "record"

[[columns]]
name = "age"
kind = "integer"
minimum = 0
maximum = 99
bins = 10

[[columns]]
name = "ward"
kind = "categorical"
categories = ["east", "west", "north"]
missing = true

[[columns]]
name = "sick"
kind = "boolean"
false = "no"
true = "yes"
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left on the screen and with the shell."""

    code: int
    out: str
    err: str


def write_inputs(home: Path) -> None:
    """Put a small table, its schema and a tiny study into a folder."""
    (home / "visits.toml").write_text(SCHEMA)
    (home / "tiny.toml").write_text(TINY)
    write_rows(home / "visits.csv")


def write_rows(path: Path, *, rows: int = 60, **changes: object) -> None:
    """Write a table; ``changes`` replaces columns, by one value or a list, or drops them."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[object]] = {
        "clinic": ["b" if i % 3 else "a" for i in range(rows)],
        "age": list(rng.integers(0, 100, rows)),
        "ward": [("east", "west", "")[i % 3] for i in range(rows)],
        "sick": ["yes" if i % 4 == 0 else "no" for i in range(rows)],
    }
    for column, value in changes.items():
        if value is None:
            del columns[column]
        else:
            columns[column] = value if isinstance(value, list) else [value] * rows
    cells = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in cells)]
    path.write_text("\n".join(lines) + "\n")


class CommandLine:
    """A folder with a small table, its schema and a tiny study, and a way to run commands there.

    Args:
        home: an empty folder; it becomes the working directory.
        monkeypatch: undoes everything after the test.
        capsys: holds what is written.
    """

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home = home
        self.scratch = home / "scratch"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(self.scratch))
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.chdir(home)
        write_inputs(home)

    def write_rows(self, name: str, *, rows: int = 60, **changes: object) -> None:
        """Write a table; ``changes`` replaces columns, by one value or a list, or drops them."""
        write_rows(self.home / name, rows=rows, **changes)

    def run(self, *words: str) -> Ended:
        """Run one command and return how it ended."""
        self._monkeypatch.setattr(sys, "argv", ["fedsynth", *words])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = self._capsys.readouterr()
        code = ended.value.code
        return Ended(code=int(code or 0), out=captured.out, err=captured.err)

    def simulate(self, *words: str, data: str = "visits.csv") -> Ended:
        """Run a tiny study on the table of this folder."""
        source = ["--data", data, "--schema", "visits.toml", "--partition", "column:clinic"]
        given = [] if "--partition" in words else source[4:]
        return self.run("simulate", "tiny.toml", *source[:4], *given, *words)

    def files(self) -> dict[str, bytes]:
        """Return every file and, as empty, every folder below this one."""
        return {
            str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.home.rglob("*"))
        }
