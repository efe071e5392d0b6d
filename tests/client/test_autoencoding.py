"""A site in a study on autoencoders: private steps are all that it does, and what it refuses."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from asking import ask_hello, ask_sketch, be_inside_a_run, code_of, send, settings_of
from flwr.app import ArrayRecord, Message
from image_sites import IMAGES, write_image_site
from tiny_sites import make_config, make_request, write_site
from tiny_world import SCHEMA
from vae_data import make_vae

from client import autoencoding
from client.autoencoding import train_autoencoder
from client.site import load_site
from client.sketching import release_sketch
from privacy import AlreadyReleased, State
from strategies import protocol
from strategies.protocol import ARRAYS
from synthesis.kinds import AnySchema
from synthesis.kinds.vae import AnyVae

MODEL = {"model": "vae"}
BOTH = pytest.mark.parametrize("schema", [SCHEMA, IMAGES], ids=["table", "images"])


def found(folder: Path, schema: AnySchema, **more: Any) -> Path:
    """Found a site; return the folder that holds it."""
    write = write_site if schema is SCHEMA else write_image_site
    write(folder / "site-1", **({"models": ("vae",)} | more))
    return folder


def ask_round(home: Path, vae: AnyVae, server_round: int = 1, **changes: Any) -> Message:
    records = {ARRAYS: ArrayRecord(vae.state_dict())}
    told = {"server_round": server_round, "pooled_noise_std": 3.0}
    return send(home, protocol.TRAIN, make_config(**MODEL | told | changes), **records)


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@BOTH
def test_a_round_answers_with_weights_of_the_same_form_that_have_moved(tmp_path, schema) -> None:
    home, vae = found(tmp_path, schema), make_vae(schema)
    assert not ask_sketch(home, **MODEL).has_error()
    answer = ask_round(home, vae)
    assert not answer.has_error()
    found_weights = answer.content.array_records[ARRAYS].to_torch_state_dict()
    sent = vae.state_dict()
    assert {n: w.shape for n, w in found_weights.items()} == {n: w.shape for n, w in sent.items()}
    trained = [name for name in sent if name.startswith(("encoder.", "decoder.", "refine."))]
    assert all((found_weights[name] != sent[name]).any() for name in trained)
    for name in sent.keys() - set(trained):  # what the sketch said stays as it came
        assert torch.equal(found_weights[name], sent[name])


@BOTH
def test_the_round_is_in_the_ledger_before_a_record_is_read(tmp_path, schema, monkeypatch) -> None:
    home, seen = found(tmp_path, schema), []
    exact = autoencoding.read_training_units

    def watched(site: Any, request: Any) -> Any:
        seen.append([entry.state for entry in site.ledger.entries()][-1])
        return exact(site, request)

    monkeypatch.setattr(autoencoding, "read_training_units", watched)
    ask_sketch(home, **MODEL)
    ask_round(home, make_vae(schema))
    assert len(seen) == 1
    assert seen[0] is State.RUNNING


def test_a_round_is_run_once_and_two_rounds_have_other_noise(tmp_path: Path) -> None:
    site = load_site(found(tmp_path, SCHEMA) / "site-1", is_simulated=True)
    request, vae = make_request(**MODEL), make_vae(SCHEMA)
    release_sketch(site, request)
    kept = copy.deepcopy(vae.state_dict())
    several = [train_autoencoder(site, request, vae, server_round=number) for number in (1, 2)]
    assert all(torch.equal(kept[name], each) for name, each in vae.state_dict().items())
    one, two = (torch.cat([w.flatten() for w in each.parameters()]) for each in several)
    assert (one != two).float().mean() > 0.9


def test_a_round_that_was_answered_is_not_run_for_another_question(tmp_path: Path) -> None:
    home = found(tmp_path, SCHEMA)
    ask_sketch(home, **MODEL)
    assert not ask_round(home, make_vae(SCHEMA)).has_error()
    assert ask_round(home, make_vae(SCHEMA, seed=1)).has_error()
    site = load_site(home / "site-1", is_simulated=True)
    with pytest.raises(AlreadyReleased):
        train_autoencoder(site, make_request(**MODEL), make_vae(SCHEMA), server_round=1)


@BOTH
def test_a_policy_that_does_not_name_autoencoders_forbids_them(tmp_path, schema) -> None:
    usual = ("mixture",) if schema is SCHEMA else ("images",)
    home = found(tmp_path, schema, models=usual)
    answer = settings_of(ask_hello(home, schema_digest=schema.digest(), **MODEL))
    assert answer[protocol.ACCEPTED] is False
    assert answer[protocol.REFUSAL_CODE] == "policy-models"


def test_missing_columns_a_discriminator_or_an_evaluation_of_images_are_refused(tmp_path) -> None:
    lacking = found(tmp_path / "lacking", SCHEMA, missing_columns=("colour",))
    assert settings_of(ask_hello(lacking, **MODEL))[protocol.ACCEPTED] is False
    whole = found(tmp_path / "whole", SCHEMA)
    wish = {"returns_discriminator": True}
    assert settings_of(ask_hello(whole, **MODEL))[protocol.ACCEPTED] is True
    assert settings_of(ask_hello(whole, **MODEL | wish))[protocol.ACCEPTED] is False
    images = found(tmp_path / "images", IMAGES)
    wish = {"evaluation": True, "schema_digest": IMAGES.digest()}
    assert settings_of(ask_hello(images, **MODEL | wish))[protocol.ACCEPTED] is False


@BOTH
def test_weights_of_another_form_are_refused(tmp_path, schema) -> None:
    home, vae = found(tmp_path, schema), make_vae(schema)
    ask_sketch(home, **MODEL)
    whole = vae.state_dict()
    for spoiled in (
        {name: each for name, each in whole.items() if name != "encoder.0.bias"} | {"more": 1.0},
        {
            name: each[..., :-1] if name.startswith("encoder") else each
            for name, each in whole.items()
        },
        {name: each for name, each in whole.items() if not name.startswith("encoder")},
    ):
        records = {ARRAYS: ArrayRecord({n: torch.as_tensor(w) for n, w in spoiled.items()})}
        told = {"server_round": 1, "pooled_noise_std": 3.0}
        answer = send(home, protocol.TRAIN, make_config(**MODEL | told), **records)
        assert answer.has_error()
        assert code_of(answer) == "malformed"
