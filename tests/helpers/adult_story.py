"""The Adult study with real sites: one on PostgreSQL, one on a Parquet file, by commands alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w
from federation import Federation
from postgres import READER, READER_PASSWORD, Postgres

from simulations.settings import SimulationSettings
from simulations.sites import SimulatedSites, make_sites

STUDY = "adult"
# What `fedsynth simulate --demo adult --sites 2 --rounds 5` uses, and an evaluation: a deployed
# study needs it, because there nobody may hold the release against real rows.
SETTINGS: dict[str, Any] = {
    "epsilon": 1.0,
    "delta": 1e-5,
    "rounds": 5,
    "nominal_rows": 20_000,
    "evaluation": True,
}
HOLDOUT = 0.1
# In one record of each table, which breaks the schema by it and so takes no part.
MARKER = "a-cell-that-never-leaves"
TABLE = "people_of_the_north"
VAULT = "vault-of-the-south"


def deal_rows() -> SimulatedSites:
    """Return the rows as a simulation with two sites deals them."""
    return make_sites(SimulationSettings(demo="adult", sites=2))


def found_sites(lab: Federation, database: Postgres, sites: SimulatedSites) -> None:
    """Found ``north`` on the database and ``south`` on a file, and have both admitted."""
    north, south = map(_with_marker, sites.tables)
    _fill(database, north)
    (lab.folder / VAULT).mkdir()
    south.to_parquet(lab.folder / VAULT / "people.parquet")
    password = lab.folder / "reader.password"
    password.touch(mode=0o600)
    password.write_text(READER_PASSWORD, encoding="utf-8")
    columns = ", ".join(f'"{name}"' for name in sites.schema.names)
    query = ("--query", f"SELECT {columns} FROM {TABLE}", "--dataset", "people")
    login = ("--user", READER, "--password-file", password)
    allowed = {"epsilon": SETTINGS["epsilon"], "holdout": HOLDOUT}
    lab.add_site("north", "--data", database.url, *query, *login, **allowed)
    lab.add_site("south", "--data", f"{VAULT}/people.parquet", **allowed)


def write_adult_study(folder: Path) -> Path:
    """Write the study file, which says no more than a person would."""
    path = folder / f"{STUDY}.toml"
    path.write_text(tomli_w.dumps({"name": STUDY} | SETTINGS), encoding="utf-8")
    return path


def _with_marker(table: pd.DataFrame) -> pd.DataFrame:
    extra = table.iloc[[0]].assign(education=MARKER)
    return pd.concat([table, extra], ignore_index=True)


def _fill(database: Postgres, table: pd.DataFrame) -> None:
    numbers = set(table.select_dtypes("number").columns)
    columns = ", ".join(f'"{name}" {"int" if name in numbers else "text"}' for name in table)
    database.run(f"CREATE TABLE {TABLE} ({columns})", f"GRANT SELECT ON {TABLE} TO {READER}")
    with database.connect() as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(table.to_csv(index=False).encode())


def seconds_between(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the time from one event to another."""
    began, ended = (datetime.fromisoformat(event["time"]) for event in (first, second))
    return (ended - began).total_seconds()


def working_times(events: list[dict[str, Any]], kind: str) -> list[float]:
    """Return how long a site worked on each question of a kind, delivery of the answer included."""
    times, asked = [], None
    for event in events:
        if event.get("type") != kind:
            continue
        if event["event"] == "question":
            asked = event
        elif event["event"] == "delivered" and asked is not None:
            times.append(seconds_between(asked, event))
            asked = None
    return times


def idle_times(lab: Federation, study: str, sites: tuple[str, ...], kind: str) -> list[float]:
    """Return the seconds of each round in which no site worked."""
    rounds = [event["seconds"] for event in lab.events(study) if event["event"] == "round-finished"]
    worked = [working_times(lab.site_events(site), kind) for site in sites]
    slowest = [max(times) for times in zip(*worked, strict=True)]
    return [whole - busy for whole, busy in zip(rounds, slowest, strict=True)]


def find_secrets(lab: Federation) -> dict[str, str]:
    """Return everything that no log and no list of processes may hold, by what it is."""
    sites = [lab.folder / name for name in lab.sites]
    keys = [path for folder in (lab.server, *sites) for path in folder.glob("keys/*")]
    keys += [lab.server / "ca" / "ca.key", lab.server / "tls" / "server.key"]
    secrets = {f"password of {READER}": READER_PASSWORD}
    for path in keys:
        if path.suffix != ".receipt":
            lines = path.read_text(encoding="ascii").split("\n")
            secret = max((line for line in lines if "PRIVATE" not in line), key=len)
            secrets[str(path.relative_to(lab.folder))] = secret.strip()
    return secrets


def read_logs(lab: Federation) -> dict[str, str]:
    """Return what all processes wrote down or said, by path."""
    places = [lab.server / "logs", lab.server / "studies"]
    places += [lab.folder / name / "logs" for name in lab.sites]
    files = [*lab.folder.glob("*.out"), *(path for place in places for path in place.rglob("*"))]
    logs = [path for path in files if path.is_file() and "checkpoint" not in path.parts]
    return {str(path): path.read_bytes().decode("utf-8", "replace") for path in logs}
