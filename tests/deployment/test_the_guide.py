"""What docs/deployment.md tells people to type works, word for word and in its order."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import HOST, Federation
from postgres import READER, READER_PASSWORD, Postgres, postgres_server
from readme_blocks import Block, read_blocks
from shipping import ROOT

from server.report import report_from_json

pytestmark = [pytest.mark.slow, pytest.mark.long]
BLOCKS = read_blocks(ROOT / "docs" / "deployment.md")
SCHEMA = """
name = "patients"
label = "sick"

[unit]
kind = "record"

[[columns]]
name = "age"
kind = "integer"
minimum = 0
maximum = 99
bins = 10

[[columns]]
name = "risk"
kind = "categorical"
categories = ["low", "mid", "high"]

[[columns]]
name = "sick"
kind = "boolean"
false = "no"
true = "yes"
"""
ROWS = [
    (20 + (7 * i) % 60, ("low", "mid", "high", "mid")[i % 4], "yes" if i % 2 else "no")
    for i in range(300)
]
# What stands in the guide for what is different in everybody's house.
GUIDE_URL = "postgresql+psycopg://db.south.example:5432/registry?sslmode=verify-full&sslrootcert=south-ca.pem"


@pytest.fixture
def database() -> Iterator[Postgres]:
    with postgres_server() as running:
        running.run(
            "CREATE TABLE patients (age int, risk text, sick text, note text)",
            f"GRANT SELECT ON patients TO {READER}",
        )
        with running.connect() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO patients VALUES (%s, %s, %s, 'private')", ROWS)
        yield running


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Federation]:
    made = Federation(tmp_path)
    try:
        yield made
    finally:
        made.close()


class Reader:
    """Somebody who types what the guide says, with the words of their own house."""

    def __init__(self, lab: Federation, database: Postgres) -> None:
        self.lab = lab
        self.joined: list[subprocess.Popen[bytes]] = []
        self.said: dict[str, str] = {}
        self._own = {
            "study.example.org": HOST,
            GUIDE_URL: database.url,
            "fedsynth_reader": READER,
        }

    def write_files(self) -> None:
        """Write what the guide takes for granted, and the files that it shows."""
        folder = self.lab.folder
        (folder / "patients.toml").write_text(SCHEMA, encoding="utf-8")
        lines = ["age,risk,sick", *(",".join(map(str, row)) for row in ROWS)]
        (folder / "north.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "south.password").write_text(READER_PASSWORD, encoding="utf-8")
        for block in BLOCKS:
            if block.kind == "file":
                (folder / block.how).write_text(block.code, encoding="utf-8")

    def follow(self, block: Block) -> None:
        for line in block.commands:
            self._type([self._own.get(word, word) for word in line])

    def _type(self, words: list[str]) -> None:
        program, *rest = words
        if program != "fedsynth":
            subprocess.run(words, cwd=self.lab.folder, check=True, timeout=10)
        elif rest[:2] == ["site", "join"]:  # in a terminal of its own
            self.joined.append(self.lab.begin(*rest, log=f"{rest[-1]}.out"))
        else:
            ports = ("--port", str(self.lab.port), "--superlink-port", str(self.lab.superlink_port))
            more = ports if rest[:2] == ["server", "init"] else ()
            self.said[shlex.join(rest)] = self.lab.cli(*rest, *more, timeout=240)
        if rest[:2] == ["server", "run"]:
            assert [self.lab.end(process) for process in self.joined] == [0, 0]


def test_the_guide_leads_from_nothing_to_a_release(lab: Federation, database: Postgres) -> None:
    reader = Reader(lab, database)
    reader.write_files()
    blocks = [block for block in BLOCKS if block.kind == "run"]
    assert len(blocks) >= 10
    for block in blocks:
        reader.follow(block)
    report = report_from_json((lab.release("flu") / "report.json").read_text(encoding="utf-8"))
    assert [site.name for site in report.sites] == ["North Hospital", "South Hospital"]
    assert (lab.folder / "north.receipt").is_file()
    _check_fingerprints(reader)


def _check_fingerprints(reader: Reader) -> None:
    """What one side is told to read out is on the other side's screen too."""
    shown = {name: _fingerprints(said) for name, said in reader.said.items()}
    coordinator = next(found for name, found in shown.items() if name.startswith("server init"))
    for site in ("north", "south"):
        founded = next(f for name, f in shown.items() if name.startswith(f"site init {site}"))
        admitted = next(f for name, f in shown.items() if f"admit {site}" in name)
        assert coordinator and coordinator <= founded
        assert admitted and admitted <= founded


def _fingerprints(said: str) -> set[str]:
    lines = [line for line in said.splitlines() if "ingerprint" in line]
    return {word for line in lines for word in line.split() if word.count("-") == 7}
