"""Everything that leaves or is logged in a whole study and in its failures, searched for data.

The tables hold what occurs nowhere else: words in cells that break the schema, in columns that the
schema does not know and in the ids of persons, and rare numbers. None of it may be seen again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from asking import (
    ask_close,
    ask_evaluate,
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
)
from flwr.app import Message
from tiny_persons import PERSONS, draw_persons
from tiny_sites import Recorder, make_study, write_site
from tiny_world import SCHEMA, draw_table

from client.site import Site
from privacy import Part
from server.app import Coordinator, make_server_app
from simulations.backends import run_local
from strategies.gate import find_problem
from strategies.protocol import REFUSAL_ERROR, RefusalCode
from strategies.wire_field import Direction
from synthesis.schema import Schema
from synthesis.tables import write_table

WORD = "Zyxquintessa"
NUMBER = 8675309
ROWS = (1137, 1211, 1373)  # numbers that nothing else in a study is equal to
SEEN_IN_DATA = (WORD, WORD.lower(), str(NUMBER), "patient-", "quinze")


def mark(table: pd.DataFrame) -> pd.DataFrame:
    """Add columns nobody asked for, and cells that break the schema."""
    table = table.astype(object).assign(name=f"{WORD} of quinze", phone=NUMBER)
    table.loc[table.index[0], ["age", "colour"]] = [NUMBER, WORD]
    return table.astype(str).where(table.notna(), None)


def make_home(home: Path, schema: Schema) -> list[Site]:
    """Three sites with rare rows: the second one in CSV."""
    sites = []
    for number, rows in enumerate(ROWS):
        site = write_site(
            home / f"site-{number + 1}", seed=number, schema=schema, holdout=0.3, epsilon=1.0
        )
        if schema.unit.kind == "person":
            table = draw_persons(rows // 3, seed=number)
        else:
            table = draw_table(rows, number)
        write_table(mark(table), site.folder / "rows.parquet")
        sites.append(site)
    return sites


def counts_of(site: Site) -> set[int]:
    """Numbers of units and of rows, of the whole and of both parts."""
    units = [site.read_units(part) for part in Part]
    numbers = {u.n_units for u in units} | {len(u.codes) for u in units}
    return numbers | {sum(u.n_units for u in units), sum(len(u.codes) for u in units)}


def values_of(message: Message) -> Iterator[tuple[str, Any]]:
    if message.has_error():
        yield "error", str(message.error.reason)
        return
    for name, record in message.content.items():
        for key, value in record.items():
            yield f"{name}.{key}", value


def check_text(text: str, where: str) -> None:
    for word in SEEN_IN_DATA:
        assert word not in text, f"{word} in {where}"


def check_leaving(message: Message, counts: set[int], home: Path) -> None:
    for where, value in values_of(message):
        if isinstance(value, str | bool | int | float):
            check_text(str(value), where)
            assert str(home) not in str(value) and "/" not in str(value)
            assert value not in counts
            if len(str(value)) < 60:  # digests hold any digits
                assert not any(str(count) == str(value) for count in counts)
        else:
            array = value.numpy()
            assert not set(np.unique(array).tolist()) & {float(count) for count in counts}
            assert not set(array.shape) & counts
            check_text(value.data.decode("latin-1"), where)


@pytest.fixture
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> list[Site]:
    return make_home(tmp_path, request.param)


@pytest.mark.parametrize(
    ("sites", "strategy"),
    [
        pytest.param(SCHEMA, "fedavg", id="records-fedavg"),
        pytest.param(PERSONS, "mdgan", id="persons-mdgan"),
        pytest.param(SCHEMA, "mdgan", id="records-mdgan", marks=pytest.mark.slow),
        pytest.param(PERSONS, "fedavg", id="persons-fedavg", marks=pytest.mark.slow),
    ],
    indirect=["sites"],
)
def test_nothing_of_the_data_leaves_or_is_logged_in_a_whole_study(
    sites: list[Site], tmp_path: Path, caplog: pytest.LogCaptureFixture, strategy: str
) -> None:
    caplog.set_level(logging.WARNING)
    recorder = Recorder()
    study = make_study(evaluation=True, nominal_rows=400, strategy=strategy)
    coordinator = Coordinator(study, sites[0].schema, num_sites=3)
    run_local(make_server_app(coordinator), recorder, 3, run_config={"sites-dir": str(tmp_path)})
    assert len(recorder.seen) == 3 * (1 + 1 + 2 + 1 + 1)
    everyone = set().union(*(counts_of(site) for site in sites))
    for question, reply in recorder.seen:
        kind = question.metadata.message_type
        assert find_problem(reply.content, kind, Direction.UP) is None
        assert find_problem(question.content, kind, Direction.DOWN) is None
        check_leaving(reply, everyone, tmp_path)
        check_leaving(question, everyone, tmp_path)
        assert not reply.content.metric_records
    check_text(caplog.text, "the log")
    for site in sites:  # the ledger is shown to others, and its head leaves
        check_text((site.folder / "ledger.sqlite").read_bytes().decode("latin-1"), "the ledger")


def test_nothing_of_what_a_site_lacks_leaves_whatever_its_table_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A site with words where it says that it has nothing; its declaration leaves as numbers."""
    caplog.set_level(logging.WARNING)
    sites = make_home(tmp_path, SCHEMA)
    spoiled = write_site(sites[1].folder, seed=1, holdout=0.3, missing_columns=("colour", "smokes"))
    table = mark(draw_table(ROWS[1], 1)).assign(colour=WORD, smokes=str(NUMBER))
    write_table(table, spoiled.folder / "rows.parquet")
    recorder, study = Recorder(), make_study(nominal_rows=400)
    coordinator = Coordinator(study, SCHEMA, num_sites=3)
    run_local(make_server_app(coordinator), recorder, 3, run_config={"sites-dir": str(tmp_path)})
    assert coordinator.outcome is not None
    assert coordinator.outcome.missing == {102: ("colour", "smokes")}
    everyone = set().union(*(counts_of(site) for site in (sites[0], spoiled, sites[2])))
    for question, reply in recorder.seen:
        kind = question.metadata.message_type
        assert find_problem(reply.content, kind, Direction.UP) is None
        assert find_problem(question.content, kind, Direction.DOWN) is None
        check_leaving(reply, everyone, tmp_path)
        check_leaving(question, everyone, tmp_path)
    check_text(caplog.text, "the log")
    ledger = (spoiled.folder / "ledger.sqlite").read_bytes().decode("latin-1")
    check_text(ledger, "the ledger")


def spoil_nothing(folder: Path) -> None:
    """Everything is as it should be."""


def remove_rows(folder: Path) -> None:
    (folder / "rows.parquet").unlink()


def break_rows(folder: Path) -> None:
    (folder / "rows.parquet").write_text(f"{WORD},{NUMBER}\n" * 3)


def drop_a_column(folder: Path) -> None:
    table = pd.read_parquet(folder / "rows.parquet")
    table.drop(columns=["age"]).to_parquet(folder / "rows.parquet")


def repeat_a_column(folder: Path) -> None:
    use_csv(folder, f"age,age,colour\n{WORD},{NUMBER},red\n")


def add_cells(folder: Path) -> None:
    use_csv(folder, f"age,colour,outcome,smokes\n{NUMBER},{WORD},ill,yes,{WORD},{WORD}\n")


def break_quotes(folder: Path) -> None:
    use_csv(folder, f'age,colour,outcome,smokes\n12,"{WORD},ill,yes\n{NUMBER},red,ill,no\n')


def break_letters(folder: Path) -> None:
    use_csv(folder, "age,colour,outcome,smokes\n")
    with (folder / "rows.csv").open("ab") as file:
        file.write(WORD.encode() + b"\xff\xfe" + str(NUMBER).encode())


def remove_the_ledger(folder: Path) -> None:
    (folder / "ledger.sqlite").unlink()


def break_the_configuration(folder: Path) -> None:
    with (folder / "site.toml").open("a") as file:
        file.write(f"\n{WORD} = {NUMBER} = 3")


def use_csv(folder: Path, text: str) -> None:
    (folder / "rows.csv").write_text(text)
    config = (folder / "site.toml").read_text()
    (folder / "site.toml").write_text(config.replace("rows.parquet", "rows.csv"))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_nothing,
        remove_rows,
        break_rows,
        drop_a_column,
        repeat_a_column,
        add_cells,
        break_quotes,
        break_letters,
        remove_the_ledger,
        break_the_configuration,
    ],
)
def test_nothing_of_the_data_leaves_or_is_logged_when_a_site_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Any
) -> None:
    caplog.set_level(logging.WARNING)
    be_inside_a_run()
    site = make_home(tmp_path, SCHEMA)[0]
    counts = counts_of(site)
    spoil(site.folder)
    replies = [ask_hello(tmp_path, evaluation=True)]
    for ask in (ask_sketch, ask_train, ask_evaluate, ask_sketch, ask_close, ask_close):
        replies += [ask(tmp_path, evaluation=True), ask(tmp_path, evaluation=True, epsilon=0.7)]
    assert any(reply.has_error() for reply in replies)
    for reply in replies:
        check_leaving(reply, counts, tmp_path)
        if reply.has_error():
            assert reply.error.code == REFUSAL_ERROR
            assert code_of(reply) in set(RefusalCode)
    check_text(caplog.text, "the log")


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, MemoryError, OSError])
def test_the_text_of_a_foreign_error_is_not_even_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind
) -> None:
    caplog.set_level(logging.WARNING)
    be_inside_a_run()
    make_home(tmp_path, SCHEMA)

    def fail(self: Site, part: Part) -> None:
        raise kind(f"could not convert {WORD} to float: {NUMBER}")

    monkeypatch.setattr(Site, "read_units", fail)
    reply = ask_sketch(tmp_path)
    assert code_of(reply) == "local-failure"
    check_text(str(reply.__dict__), "the reply")
    check_text(caplog.text, "the log")
    assert kind.__name__ in caplog.text


def test_the_audit_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Each of its searches can fail."""
    be_inside_a_run()
    write_site(tmp_path / "site-1")
    reply = ask_hello(tmp_path)
    config = reply.content.config_records["config"]
    check_leaving(reply, {41}, tmp_path)
    for odd in (WORD, str(tmp_path), 41, str(NUMBER)):
        config["schema-digest"] = odd
        with pytest.raises(AssertionError):
            check_leaving(reply, {41}, tmp_path)
