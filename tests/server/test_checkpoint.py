"""A coordinator that dies goes on in its next life, and no site pays or draws a second time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Context, Message
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
from strategies.collect import Answers
from strategies.federated_generator import RoundRecord
from strategies.protocol import QUERY_CLOSE, QUERY_SKETCH, TRAIN, RefusalCode, error_reply
from strategies.receipts import ReceiptBook
from strategies.validation import Reply
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


@pytest.mark.parametrize("number", range(2, 18, 3))  # one of each kind
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


@pytest.mark.parametrize("name", ["query.hello", "query.sketch", "fit", "round-00002"])
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


def make_answers() -> Answers:
    arrays = {"statistics": np.array([1.5, -0.0, 3e38], dtype=np.float32)}
    return Answers(
        valid={7: Reply(arrays=arrays, config={"noise-multiplier": 0.1, "accepted": True})},
        rejected={2**63: "no-reply"},
        seconds=1.25,
        bytes_down=3,
        bytes_up=4,
    )


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    checkpoint, answers = Checkpoint(tmp_path), make_answers()
    checkpoint.keep_answers("query.sketch", answers, {})
    found = Checkpoint(tmp_path).find_answers("query.sketch")
    assert found is not None
    again, keys = found
    assert keys == {}
    assert replace(again, valid={}) == replace(answers, valid={})
    assert again.valid[7].config == answers.valid[7].config
    array = again.valid[7].arrays["statistics"]
    assert array.tobytes() == answers.valid[7].arrays["statistics"].tobytes()
    assert array.dtype == np.float32
    assert checkpoint.find_answers("query.hello") is None


def test_rounds_come_back_in_order_and_only_without_a_gap(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    records = [
        RoundRecord(
            server_round=n,
            changed=n != 2,
            valid=(101,),
            rejected={102: "no-reply"},
            seconds=n / 3,
            bytes_down=n,
            bytes_up=n,
        )
        for n in (1, 2, 3)
    ]
    for record in records:
        checkpoint.keep_round(record, {"w": np.full(2, record.server_round, dtype=np.float32)})
    found, weights = checkpoint.find_rounds()
    assert list(found) == records
    assert weights is not None and weights["w"].tolist() == [3, 3]
    (tmp_path / "round-00002.safetensors").unlink()
    assert len(checkpoint.find_rounds()[0]) == 1


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"nonsense"), lambda p: p.write_bytes(p.read_bytes()[:40])]
)
def test_a_broken_file_is_named_with_the_way_out(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep_fit({"w": np.zeros(3, dtype=np.float32)}, 1.0)
    spoil(tmp_path / "fit.safetensors")
    with pytest.raises(InputError, match="asked for it again, at no cost"):
        checkpoint.find_fit()


def test_receipts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "receipts.json").write_text('{"x": 1}')
    with pytest.raises(InputError, match="must hold the last receipts"):
        Checkpoint(None, receipts=tmp_path / "receipts.json").find_receipts()


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    checkpoint = Checkpoint()
    checkpoint.open("study", "digest")
    checkpoint.keep_answers("query.sketch", make_answers(), {})
    assert checkpoint.find_answers("query.sketch") is None
    assert checkpoint.find_rounds() == ((), None)
    assert list(tmp_path.iterdir()) == []
