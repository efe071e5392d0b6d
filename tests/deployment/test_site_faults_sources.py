"""A full disk at one site and a database that goes away under another, in one study."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from federation import Federation, federation, wait_for
from postgres import READER, READER_PASSWORD, Postgres, postgres_server
from settled import (
    check_closed,
    check_epsilon,
    check_nothing_half_written,
    check_release,
    entries_of,
    rounds_of,
)
from small_disk import small_disk
from tiny_world import draw_table

pytestmark = [pytest.mark.slow, pytest.mark.long]
QUERY = "SELECT p.* FROM patients AS p, pace WHERE pg_sleep(pace.seconds) IS NOT NULL"
NO_ROOM = "this site's folder cannot be written to (No space left on device)"


def test_a_full_disk_and_a_database_that_goes_away_cost_a_second_run_and_no_budget(
    tmp_path: Path,
) -> None:
    with postgres_server() as server, small_disk(tmp_path / "ward", "4m") as disk:
        with federation(tmp_path) as lab:
            add_clinic(lab, server)
            lab.add_site("ward", quick=True)
            study = lab.write_study("sources", deadline_s=60.0)
            joined = [lab.join(name, study) for name in ("clinic", "ward")]
            for name in ("clinic", "ward"):
                wait_for(lambda name=name: "connected" in events_of(lab, name), f"{name}", 90)

            disk.fill()
            clinic = lab.node_pid("clinic")
            os.kill(clinic, signal.SIGSTOP)  # so that hello ends when this test says so
            run = lab.run(study)
            wait_for(lambda: NO_ROOM in words_of(lab, "ward.out"), "word of the full disk", 90)
            disk.make_room()  # hello waited for it
            wait_for(lambda: outcomes_of(lab, "ward", "query.hello"), "hello of the ward", 60)
            disk.fill()
            os.kill(clinic, signal.SIGCONT)

            wait_for(lambda: server.backends(), "reading of the database", 60)
            server.break_off()
            wait_for(lambda: "tries again" in log_of(lab, "clinic"), "word of the database", 60)
            server.come_back()
            server.run("UPDATE pace SET seconds = 0")
            assert lab.end(run, 90) == 1
            check_sketch_failed(lab)
            disk.make_room()
            lab.ledger("ward")  # verified as it is opened
            assert lab.end(lab.run(study), 120) == 0, lab.said("sources.out")

            assert [lab.end(process, 60) for process in joined] == [0, 0]
            assert outcomes_of(lab, "clinic", "query.sketch") == ["answered", "answered"]
            assert rounds_of(lab, "sources") == [["clinic", "ward"]] * 2
            notes = [entry.note for entry in entries_of(lab, "clinic", "sources")]
            assert notes.count("sketch") == 1 and "sketch-again-1" not in notes
            check_release(lab, "sources")
            check_closed(lab, study, "clinic", "ward")
            for name in ("clinic", "ward"):
                check_epsilon(lab, name, study)


def check_sketch_failed(lab: Federation) -> None:
    """The site whose disk is full answered with a code and no more, and the run says so."""
    assert "local-failure" in words_of(lab, "ward.out")
    assert "1 sites gave a sketch, 2 are needed" in words_of(lab, "sources.out")
    assert not lab.release("sources").exists()
    check_nothing_half_written(lab)


def add_clinic(lab: Federation, server: Postgres) -> None:
    """A site whose table is a view that can be made slow."""
    table = draw_table(150, 7).astype(object)
    rows = table.where(table.notna(), None).to_numpy().tolist()
    columns = ", ".join(f"{name} text" for name in table.columns)
    server.run(
        f"CREATE TABLE patients ({columns})",
        "CREATE TABLE pace (seconds float)",
        "INSERT INTO pace VALUES (0)",
        f"GRANT SELECT ON patients, pace TO {READER}",
    )
    with server.connect() as connection:
        places = ", ".join(["%s"] * len(table.columns))
        for row in rows:
            cells = [None if cell is None else str(cell) for cell in row]
            connection.execute(f"INSERT INTO patients VALUES ({places})", cells)
    password = lab.folder / "clinic.password"
    password.write_text(READER_PASSWORD)
    password.chmod(0o600)
    words = ("--query", QUERY, "--dataset", "patients", "--user", READER)
    lab.add_site("clinic", "--data", server.url, *words, "--password-file", password, quick=True)
    server.run("UPDATE pace SET seconds = 0.02")


def events_of(lab: Federation, site: str) -> list[str]:
    return [event["event"] for event in lab.site_events(site)]


def outcomes_of(lab: Federation, site: str, kind: str) -> list[str]:
    events = lab.site_events(site)
    return [e["outcome"] for e in events if e["event"] == "delivered" and e["type"] == kind]


def words_of(lab: Federation, log: str) -> str:
    return " ".join(lab.said(log).split())


def log_of(lab: Federation, site: str) -> str:
    return (lab.folder / site / "logs" / "site.log").read_text(encoding="utf-8")
