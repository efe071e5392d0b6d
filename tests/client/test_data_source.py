"""What ``[data]`` in a site's file may say, and where its credentials may lie."""

from __future__ import annotations

import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_world import SCHEMA, draw_table

from client.data_source import SqlSource
from client.founding import found_site
from client.site import Site, load_site
from client.site_config import SITE_FILE, parse_config
from privacy import Part, Policy, replay_ledger
from synthesis import InputError

SECRET = "do-not-repeat-me"
URL = "postgresql+psycopg://db.example:5432/clinic"
SETTINGS = {"url": URL, "query": "SELECT a FROM t", "dataset": "admissions"}


def make_source(**changes: Any) -> SqlSource:
    return SqlSource.model_validate(SETTINGS | changes)


def found(folder: Path, source: SqlSource | str) -> Site:
    policy = Policy(epsilon=1.0, delta=1e-5)
    return found_site(folder, name="north", data=source, schema=SCHEMA, policy=policy)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"url": f"postgresql+psycopg://u:{SECRET}@h/db"}, "url must hold neither user nor"),
        ({"url": f"postgresql+psycopg://{SECRET}@h/db"}, "url must hold neither user nor"),
        ({"url": f"postgresql://h/db?password={SECRET}"}, "url must hold neither user nor"),
        ({"url": f"postgresql://u:{SECRET}@h:port/db"}, "url must be like"),
        ({"url": f"mysql://u:{SECRET}@h/db"}, "url must be like"),
        ({"url": SECRET}, "url must be like"),
        ({"url": "sqlite://"}, "url must name the file"),
        ({"query": f"DELETE FROM t -- {SECRET}"}, "one statement that begins with SELECT"),
        ({"query": f"SELECT 1; DROP TABLE t -- {SECRET}"}, "one statement"),
        ({"query": ""}, "one statement"),
        ({"query": "selection"}, "one statement"),
        ({"dataset": "two\nlines"}, "one line"),
        ({"dataset": ""}, "at least 1 character"),
        ({"user": "u", "user_env": "U"}, "only one of user and user_env"),
        ({"password_file": "p", "password_env": "P", "user": "u"}, "only one of password_file"),
        ({"password_env": "P"}, "user or user_env must be given"),
        ({"url": "sqlite:///a.db", "user": "u"}, "SQLite file has no user"),
        ({"user": "u", "password_env": f"{SECRET} "}, "(should|must) match pattern"),
        ({"password": SECRET}, "(Extra inputs are not permitted|is not a known setting)"),
        ({"connect_timeout_s": 0}, "greater than 0"),
        ({"statement_timeout_s": float("inf")}, "finite|less than"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_without_a_secret(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence) as caught:
        make_source(**changes)
    assert SECRET not in str(caught.value)
    site = {"name": "n", "schema": "s", "policy": {"epsilon": 1, "delta": 1e-5}}
    with pytest.raises(InputError, match=f"data.*{sentence}") as refused:
        parse_config(site | {"data": SETTINGS | changes})
    assert SECRET not in str(refused.value)


def test_a_url_is_no_path_and_is_not_repeated() -> None:
    site = {"name": "n", "schema": "s", "policy": {"epsilon": 1, "delta": 1e-5}}
    with pytest.raises(InputError, match=r"table \[data\]") as refused:
        parse_config(site | {"data": f"postgresql://u:{SECRET}@h/db"})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "query",
    ["SELECT ';' FROM t;", 'with a as (select 1) select ";" from a', "-- of; words\nSELECT 1"],
)
def test_one_statement_may_hold_what_looks_like_two(query: str) -> None:
    assert make_source(query=query).query == query.removesuffix(";")


def test_a_password_comes_from_a_closed_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    source = make_source(user="u", password_file="password")
    file.chmod(0o640)
    with pytest.raises(InputError, match="mode 0600"):
        source.to_query(tmp_path)
    file.chmod(0o600)
    asked = source.to_query(tmp_path)
    assert (asked.user, asked.password) == ("u", SECRET)
    assert SECRET not in repr(asked) + repr(source)
    source = make_source(user_env="CLINIC_USER", password_env="CLINIC_PASSWORD")
    with pytest.raises(InputError, match="that user_env names must be set"):
        source.to_query(tmp_path)
    monkeypatch.setenv("CLINIC_USER", "v")
    monkeypatch.setenv("CLINIC_PASSWORD", SECRET)
    asked = source.to_query(tmp_path)
    assert (asked.user, asked.password) == ("v", SECRET)


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo\n", b"\xff"])
def test_a_file_that_holds_no_password_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    (tmp_path / "password").chmod(0o600)
    with pytest.raises(InputError, match="on its first and only line"):
        make_source(user="u", password_file="password").to_query(tmp_path)


def test_a_site_reads_a_database_beside_its_file_as_it_reads_a_table(tmp_path: Path) -> None:
    table = draw_table(90)
    found(tmp_path / "files", "rows.csv")
    table.to_csv(tmp_path / "files" / "rows.csv", index=False)
    source = make_source(url="sqlite:///rows.sqlite", query="SELECT * FROM t")
    site = found(tmp_path / "base", source)
    connection = sqlite3.connect(tmp_path / "base" / "rows.sqlite")
    table.to_sql("t", connection, index=False)
    connection.close()
    again = load_site(tmp_path / "base")
    assert again == site
    numbers = [
        sum(each.read_units(part).n_units for part in Part)
        for each in (again, load_site(tmp_path / "files"))
    ]
    assert numbers == [90, 90]
    assert replay_ledger(tmp_path / "base" / "ledger.sqlite").header.dataset == "admissions"


def test_another_dataset_does_not_open_the_ledger(tmp_path: Path) -> None:
    site = found(tmp_path / "s", make_source())
    path = site.folder / SITE_FILE
    path.write_text(path.read_text().replace('"admissions"', '"births"'))
    with pytest.raises(InputError, match="'admissions', got 'births'"):
        _ = load_site(site.folder).ledger


def test_the_file_explains_every_setting_of_a_database(tmp_path: Path) -> None:
    source = make_source(
        query="SELECT a\nFROM t\nWHERE b = 'x'", user="u", password_file="/run/secret"
    )
    lines = (found(tmp_path / "s", source).folder / SITE_FILE).read_text()
    for name, value in source.model_dump(exclude_none=True).items():
        before, _, _ = lines.partition(f"\n{name} = ")
        assert before != lines
        assert before.splitlines()[-1].startswith("# ")
        assert tomllib.loads(lines)["data"][name] == value
