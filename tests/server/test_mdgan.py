"""Studies whose coordinator trains the generator, and sites that send it nonsense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, Context, Message
from stages import but_for
from tiny_sites import make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from privacy import replay_ledger
from server.app import Coordinator
from server.outcome import StudyOutcome
from simulations.grid import LocalGrid
from strategies.protocol import ARRAYS, DISCRIMINATOR, TRAIN

Client = Callable[[Message, Context], Message]
Arrays = dict[str, np.ndarray]


def run(home: Path, client: Client = app, **changes: object) -> StudyOutcome:
    study = make_study(**({"strategy": "mdgan", "minimum_sites": 2} | changes))
    grid = LocalGrid(client, 3, run_config={"sites-dir": str(home)})
    return Coordinator(study, SCHEMA, num_sites=3).run(grid)


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])


def spoiling(spoil: Callable[[Arrays], Arrays], *, record: str = DISCRIMINATOR) -> Client:
    """The second site's discriminator is not what it should be."""

    def client(message: Message, context: Context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type == TRAIN and context.node_id == 102:
            arrays = {n: a.numpy() for n, a in reply.content.array_records[DISCRIMINATOR].items()}
            del reply.content[DISCRIMINATOR]
            reply.content[record] = ArrayRecord({n: Array(a) for n, a in spoil(arrays).items()})
        return reply

    return client


def with_first(arrays: Arrays, values: np.ndarray) -> Arrays:
    return arrays | {next(iter(arrays)): values}


SPOILT = {
    "not-finite": spoiling(lambda a: with_first(a, next(iter(a.values())) * np.float16(np.nan))),
    "wrong-shape": spoiling(lambda a: with_first(a, np.zeros((2, 2), np.float16))),
    "wrong-dtype": spoiling(lambda a: {name: each.astype(np.float32) for name, each in a.items()}),
    "norm-too-large": spoiling(lambda a: {n: np.full_like(each, 6e4) for n, each in a.items()}),
    "unexpected-key": spoiling(lambda a: a | {"more": np.zeros(3, np.float16)}),
    "missing-key": spoiling(lambda a: a, record=ARRAYS),
}


@pytest.mark.parametrize("code", but_for(SPOILT, "not-finite", "norm-too-large", "missing-key"))
def test_a_discriminator_that_is_not_one_does_not_count(tmp_path: Path, code: str) -> None:
    write_sites(tmp_path)
    outcome = run(tmp_path, SPOILT[code], rounds=1)
    assert [dict(record.rejected) for record in outcome.rounds] == [{102: code}]
    assert all(record.changed for record in outcome.rounds)
    assert torch.isfinite(weights_of(outcome)).all()


def test_ledgers_say_the_same_as_of_a_study_that_averages(tmp_path: Path) -> None:
    found = []
    for strategy in ("fedavg", "mdgan"):
        write_sites(tmp_path / strategy)
        outcome = run(tmp_path / strategy, strategy=strategy)
        ledgers = [tmp_path / strategy / f"site-{n}" / "ledger.sqlite" for n in (1, 2, 3)]
        found.append([replay_ledger(each).epsilon_pld for each in ledgers])
        assert len(outcome.receipts) == 3
    assert found[0] == found[1]


def test_a_round_brings_up_a_discriminator_and_takes_down_a_generator_alone(tmp_path: Path) -> None:
    write_sites(tmp_path)
    outcome = run(tmp_path)
    first, second = outcome.rounds
    assert first.bytes_down == pytest.approx(second.bytes_down, rel=0.2)  # no sketch with it
    assert not torch.equal(
        weights_of(outcome),
        torch.cat([p.detach().flatten() for p in outcome.sketch_generator.parameters()]),
    )


def test_no_rounds_are_no_reason_to_train(tmp_path: Path) -> None:
    write_sites(tmp_path)
    outcome = run(tmp_path, rounds=0, adversarial_share=0)
    assert outcome.generator is outcome.sketch_generator
