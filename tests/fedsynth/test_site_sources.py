"""A site is founded on a folder or a database with the same commands, and no secret is repeated."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import CommandLine
from founded_site import STUDY, init_words, joined
from postgres import READER, READER_PASSWORD, Postgres, postgres_server

from privacy import replay_ledger

READABLE = "Data readable, schema matches. All 60 rows fit the schema: 60 records."
QUERY = "SELECT age, ward, sick FROM visits"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    made = CommandLine(tmp_path, monkeypatch, capsys)
    (tmp_path / "flu.toml").write_text(STUDY)
    return made


def words(data: str, *more: str) -> list[str]:
    given = init_words(*more)
    given[given.index("visits.csv")] = data
    return given


def settings() -> dict[str, object]:
    content: dict[str, object] = tomllib.loads(Path("north/site.toml").read_text())
    return content


def check_founded(shell: CommandLine, given: list[str], dataset: str) -> None:
    ended = shell.run(*given)
    assert (ended.code, ended.err) == (0, "")
    assert READABLE in joined(ended.out)
    assert replay_ledger("north/ledger.sqlite").header.dataset == dataset
    ended = shell.run("site", "check", "flu.toml", "--site", "north")
    assert (ended.code, ended.err) == (0, "")
    assert READABLE in joined(ended.out)


def test_a_site_is_founded_on_a_folder(shell: CommandLine) -> None:
    (shell.home / "visits").mkdir()
    for number in range(2):
        shell.write_rows(f"visits/{number}.csv", rows=30)
    check_founded(shell, words("visits"), "visits")
    assert settings()["data"] == str(shell.home.resolve() / "visits")


def test_a_site_is_founded_on_a_database_file(shell: CommandLine) -> None:
    connection = sqlite3.connect("clinic.sqlite")
    pd.read_csv("visits.csv").to_sql("visits", connection)
    connection.close()
    (shell.home / "query.sql").write_text(f"{QUERY};\n")
    more = ["--query", "@query.sql", "--dataset", "admissions"]
    check_founded(shell, words("sqlite:///clinic.sqlite", *more), "admissions")
    assert settings()["data"] == {
        "url": f"sqlite:///{shell.home.resolve()}/clinic.sqlite",
        "query": QUERY,
        "dataset": "admissions",
        "connect_timeout_s": 10.0,
        "statement_timeout_s": 600.0,
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (words("empty"), "holds none"),
        (words("visits.csv", "--query", QUERY), "query must be left out"),
        (words("visits.csv", "--user", "u"), "user must be left out"),
        (words("sqlite:///a.db"), "query and dataset must be given"),
        (words("sqlite:///a.db", "--query", QUERY), "query and dataset must be given"),
        (words("sqlite:///a.db", "--query", QUERY, "--dataset", "d"), "does not exist"),
        (words("sqlite:///a.db", "--query", "@none", "--dataset", "d"), "query file none"),
        (words("sqlite:///a.db", "--query", "DROP", "--dataset", "d"), "begins with SELECT"),
        (words("pg://u:hidden@h/d", "--query", QUERY, "--dataset", "d"), "url must be like"),
        (
            words("postgresql://u:hidden@h/d", "--query", QUERY, "--dataset", "d"),
            "url must hold neither user nor password",
        ),
    ],
)
def test_a_wrong_source_is_refused(shell: CommandLine, given: list[str], sentence: str) -> None:
    (shell.home / "empty").mkdir()
    ended = shell.run(*given)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert "hidden" not in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("north").exists()


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as running:
        yield running


@pytest.mark.slow
def test_a_site_is_founded_on_a_server_and_says_how_each_reading_ends(
    shell: CommandLine, server: Postgres
) -> None:
    server.run(
        "CREATE TABLE visits (clinic text, age int, ward text, sick text)",
        f"GRANT SELECT ON visits TO {READER}",
    )
    with server.connect() as connection, connection.cursor() as cursor:
        with cursor.copy("COPY visits FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(Path("visits.csv").read_bytes())
    password = shell.home / "reader.password"
    password.write_text(f"{READER_PASSWORD}\n")
    password.chmod(0o600)
    more = ["--query", QUERY, "--dataset", "admissions", "--user", READER]
    given = words(server.url, *more, "--password-file", "reader.password")
    check_founded(shell, given, "admissions")
    assert READER_PASSWORD not in Path("north/site.toml").read_text()
    check = ["site", "check", "flu.toml", "--site", "north"]

    def ends(code: int, sentence: str) -> None:
        ended = shell.run(*check)
        assert (ended.code, ended.out) == (code, "")
        assert sentence in ended.err
        for text in (READER, READER_PASSWORD, "127.0.0.1", "Traceback"):
            assert text not in ended.err

    password.write_text("wrong")
    ends(2, "the database refuses the login")
    password.chmod(0o644)
    ends(2, "mode 0600")
    password.chmod(0o600)
    password.write_text(READER_PASSWORD)
    server.run("ALTER TABLE visits RENAME COLUMN ward TO place")
    ends(2, "names a column that is not there; check its spelling (42703)")
    server.run("DROP TABLE visits")
    ends(2, "names a table that is not there; check its spelling and schema (42P01)")
    server.process.terminate()
    server.process.wait(timeout=20)
    ends(1, "the database cannot be reached or broke off")
