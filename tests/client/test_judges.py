"""A site that answers with its discriminator: charged as ever, and it takes no generator steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asking import ask_train, be_inside_a_run, code_of, train_records
from tiny_sites import make_request, write_site
from tiny_world import make_generator

from client import training
from client.site import Site
from client.sketching import release_sketch
from client.state import StudyState
from client.training import train_judge, train_round
from strategies.protocol import ARRAYS, DISCRIMINATOR
from synthesis.discriminator import Discriminator
from synthesis.kinds import kind_of
from synthesis.layout import SketchLayout

Weights = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


def sketched(folder: Path) -> Site:
    site = write_site(folder)
    release_sketch(site, make_request())
    return site


def kept(site: Site, server_round: int) -> Weights:
    """The discriminator that a site remembers from a round."""
    found = kind_of(site.schema).make_discriminator(torch.Generator())
    trainer = torch.optim.Adam(found.parameters())
    assert StudyState(site.folder, "tiny-study").restore_training(server_round + 1, found, trainer)
    return found.state_dict()


def ledger_of(site: Site) -> list[tuple[str, str, object]]:
    return [(e.state.value, e.note, e.event) for e in site.ledger.entries()]


def judge(site: Site, server_round: int) -> Discriminator:
    return train_judge(site, make_request(), make_generator(), server_round=server_round)


def test_it_is_the_discriminator_of_the_usual_round_and_costs_the_same(tmp_path: Path) -> None:
    one, other = sketched(tmp_path / "a" / "site"), sketched(tmp_path / "b" / "site")
    layout = SketchLayout.from_schema(one.schema)
    for server_round in (1, 2):
        found = judge(one, server_round).state_dict()
        train_round(
            other,
            make_request(),
            make_generator(),
            server_round=server_round,
            pooled_sketch=torch.ones(layout.dimension),
            pooled_noise_std=3.0,
        )
        for weights in (kept(one, server_round), kept(other, server_round)):
            assert all(torch.equal(found[name], each) for name, each in weights.items())
    assert ledger_of(one) == ledger_of(other)
    assert one.ledger.epsilon() == other.ledger.epsilon() > 0


def test_no_generator_is_trained_and_no_statistics_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **named: object) -> None:
        raise AssertionError("a generator was trained")

    monkeypatch.setattr(training, "choose_generator_steps", fail)
    write_site(tmp_path / "site-1")
    weights = {ARRAYS: train_records()[ARRAYS]}
    reply = ask_train(tmp_path, weights, returns_discriminator=True, generator_steps=0)
    assert not reply.has_error()
    assert set(reply.content.array_records) == {DISCRIMINATOR}
    record = reply.content.array_records[DISCRIMINATOR]
    assert all(np.isfinite(array.numpy()).all() for array in record.values())


def test_the_same_question_has_the_same_answer_and_another_has_none(tmp_path: Path) -> None:
    """And where discriminators were agreed to nothing else is sent."""
    write_site(tmp_path / "site-1")
    asked = {"returns_discriminator": True, "generator_steps": 0}
    records = train_records()
    first, again = (ask_train(tmp_path, records, **asked) for _ in range(2))
    for name, array in first.content.array_records[DISCRIMINATOR].items():
        assert again.content.array_records[DISCRIMINATOR][name].data == array.data
    other = ask_train(tmp_path, records)
    assert code_of(other) == "study-changed"
