"""A coordinator that dies goes on in its next life, and no site pays or draws a second time."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Context, Message
from stages import but_for
from tiny_sites import make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.site import load_site
from privacy import Ledger
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.outcome import StudyOutcome
from simulations.grid import LocalGrid
from strategies import StudyFailed
from strategies.protocol import QUERY_CLOSE, QUERY_SKETCH, TRAIN, RefusalCode, error_reply
from strategies.receipts import ReceiptBook
from synthesis import InputError
from synthesis.durable_file import replace_file


class Died(BaseException):
    """The coordinator's process is gone."""


class Life:
    """One life of a coordinator: it ends at the n-th message or event, or not at all."""

    def __init__(self, home: Path, *, messages: int = 10**9, events: int = 10**9) -> None:
        self.home, self.messages, self.events = home, messages, events
        self.kinds: list[str] = []

    def client(self, message: Message, context: Context) -> Message:
        reply = app(message, context)
        self.kinds.append(message.metadata.message_type)
        self.messages -= 1
        if self.messages == 0:  # the site has answered, and the answer never arrives
            raise Died
        return reply

    def notice(self, event: Mapping[str, object]) -> None:
        is_step = event["event"] == "fit-progress" and event["done"] != event["total"]
        self.events -= not is_step and event["event"] not in ("phase-kept", "rounds-kept")
        if self.events == 0:
            raise Died

    def run(self, **changes: Any) -> StudyOutcome:
        folder = self.home / "coordinator"
        folder.mkdir(exist_ok=True)
        checkpoint = Checkpoint(folder / "study", receipts=folder / "receipts.json")
        grid = LocalGrid(self.client, 3, run_config={"sites-dir": str(self.home / "sites")})
        return Coordinator(
            make_study(evaluation=True, **changes),
            SCHEMA,
            num_sites=3,
            on_event=self.notice,
            receipts=ReceiptBook(checkpoint.find_receipts()),
            checkpoint=checkpoint,
        ).run(grid)


def write_home(home: Path) -> Path:
    write_sites(home / "sites", holdout=0.5)
    return home


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])


def notes_of(home: Path) -> list[list[str]]:
    ledgers = [Ledger.open(folder / "ledger.sqlite") for folder in (home / "sites").iterdir()]
    return [[entry.note for entry in ledger.entries() if entry.note] for ledger in ledgers]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyOutcome, list[list[str]]]:
    home = write_home(tmp_path_factory.mktemp("undisturbed"))
    return Life(home).run(), notes_of(home)


def check(home: Path, outcome: StudyOutcome, undisturbed: Any) -> None:
    expected, notes = undisturbed
    assert torch.equal(weights_of(outcome), weights_of(expected))
    assert outcome.evaluation is not None and expected.evaluation is not None
    assert outcome.evaluation.figures == expected.evaluation.figures
    assert [record.valid for record in outcome.rounds] == [(101, 102, 103)] * 2
    assert outcome.nodes == expected.nodes
    assert sorted(notes_of(home)) == sorted(notes)  # every phase was begun and kept once
    assert all(receipt.receipt.entries > 5 for receipt in outcome.receipts.values())


@pytest.mark.parametrize("number", but_for(range(2, 18, 3), 5, 11))  # one of each kind
def test_a_coordinator_killed_at_any_message_ends_with_the_same_generator(
    tmp_path: Path, undisturbed: Any, number: int
) -> None:
    home = write_home(tmp_path)
    with pytest.raises(Died):
        Life(home, messages=number).run()
    check(home, Life(home).run(), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 13))
def test_a_coordinator_killed_at_any_event_ends_with_the_same_generator(
    tmp_path: Path, undisturbed: Any, number: int
) -> None:
    home = write_home(tmp_path)
    with pytest.raises(Died):
        Life(home, events=number).run()
    check(home, Life(home).run(), undisturbed)


def test_a_coordinator_that_dies_in_every_phase_still_ends_the_study(
    tmp_path: Path, undisturbed: Any
) -> None:
    home = write_home(tmp_path)
    lives = 0
    while True:
        lives += 1
        try:
            outcome = Life(home, events=3).run()
            break
        except Died:
            assert lives < 20
    assert lives > 2
    check(home, outcome, undisturbed)


@pytest.mark.parametrize(
    "name", but_for(["query.hello", "query.sketch", "fit", "round-00002"], "query.sketch")
)
def test_a_full_disk_keeps_the_phase_open_and_nothing_half_written(
    tmp_path: Path, undisturbed: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = write_home(tmp_path)

    def refuse(path: Path, content: bytes) -> None:
        if path.stem == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        replace_file(path, content)

    monkeypatch.setattr("server.checkpoint.replace_file", refuse)
    with pytest.raises(OSError, match="No space left"):
        Life(home).run()
    folder = home / "coordinator" / "study"
    assert not list(folder.glob(f"*{name}*"))
    monkeypatch.undo()
    (folder / f"{name}.safetensors.77.99").write_bytes(b"half")  # what a kill leaves
    check(home, Life(home).run(), undisturbed)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}


def test_what_is_kept_is_not_asked_for_again(tmp_path: Path) -> None:
    home = write_home(tmp_path)
    with pytest.raises(Died):
        Life(home, messages=10).run()  # in the second round
    life = Life(home)
    life.run()
    assert QUERY_SKETCH not in life.kinds
    assert life.kinds.count(TRAIN) == 3
    assert life.kinds[-3:] == [QUERY_CLOSE] * 3


def test_a_study_that_lost_its_sites_goes_on_when_they_are_back(tmp_path: Path) -> None:
    home = write_home(tmp_path)
    data = home / "sites" / "site-1" / "rows.parquet"
    hidden = data.rename(data.with_suffix(".away"))
    with pytest.raises(StudyFailed, match="2 sites gave a sketch, 3 are needed"):
        Life(home).run(minimum_sites=3)
    spent = {note[0] for note in notes_of(home) if note}
    hidden.rename(data)
    outcome = Life(home).run(minimum_sites=3)
    assert outcome.nodes == (101, 102, 103)
    assert spent == {"sketch"}
    ledger = load_site(home / "sites" / "site-1", is_simulated=True).ledger
    assert ledger.epsilon() == pytest.approx(1.0, abs=0.01)
    assert "sketch-again-1" in {entry.note for entry in ledger.entries()}


class LifeWithoutOne(Life):
    """One site can be asked, but is away in every round."""

    def client(self, message: Message, context: Context) -> Message:
        if message.metadata.message_type == TRAIN and context.node_id == 101:
            return error_reply(message, RefusalCode.LOCAL_FAILURE)
        return super().client(message, context)


def test_a_study_without_a_round_that_counted_does_its_rounds_anew(tmp_path: Path) -> None:
    home = write_home(tmp_path)
    with pytest.raises(StudyFailed, match="none of 2 rounds had 3 valid replies"):
        LifeWithoutOne(home).run(minimum_sites=3)
    outcome = Life(home).run(minimum_sites=3)
    assert outcome.rounds[0].valid == (101, 102, 103)
    assert outcome.rounds[1].rejected == dict.fromkeys((102, 103), "refused-already-released")
    for notes in notes_of(home):
        assert all(notes.count(note) == 1 for note in notes)


def test_what_was_lost_from_the_checkpoint_is_asked_for_again(
    tmp_path: Path, undisturbed: Any
) -> None:
    home = write_home(tmp_path)
    with pytest.raises(Died):
        Life(home, messages=13).run()  # in the evaluation
    for name in ("query.hello", "query.sketch", "fit", "round-00001", "round-00002"):
        (home / "coordinator" / "study" / f"{name}.safetensors").unlink()
    check(home, Life(home).run(), undisturbed)


def test_another_study_of_the_same_name_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    home = write_home(tmp_path)
    with pytest.raises(Died):
        Life(home, messages=3).run()
    life = Life(home)
    with pytest.raises(InputError, match="begun with other settings"):
        life.run(fit_steps=4)
    assert life.kinds == []
