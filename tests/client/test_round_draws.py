"""What a round draws at a site: its own coins and noise, at the rate that is paid for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA, make_generator

from client.site import Site
from client.training import train_round
from privacy import RandomStream, trainer
from privacy.private_step import PrivateStep
from synthesis.layout import SketchLayout

POOLED = torch.from_numpy(
    np.random.default_rng(0).uniform(1, 9, SketchLayout.from_schema(SCHEMA).dimension)
).float()


def run_round(site: Site, server_round: int) -> None:
    train_round(
        site,
        make_request(),
        make_generator(),
        server_round=server_round,
        pooled_sketch=POOLED,
        pooled_noise_std=3.0,
    )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1")


def test_batches_are_drawn_at_the_rate_that_is_paid_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, object]] = []

    def watched(n_units: int, **settings):
        drawn.append(settings)
        return original(n_units, **settings)

    original = trainer.poisson_batches
    monkeypatch.setattr(trainer, "poisson_batches", watched)
    request = make_request()
    run_round(site, 1)
    (paid,) = [e for e in request.make_plan().events() if e.purpose == "training"]
    assert [(d["sample_rate"], d["steps"]) for d in drawn] == [
        (paid.sample_rate, paid.steps // request.rounds)
    ]


def test_every_round_has_coins_and_noise_of_its_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_draws: dict[str, list[list[float]]] = {"noise": [], "poisson": []}

    class Watched(PrivateStep):
        def __init__(self, *args, stream: RandomStream, **settings) -> None:
            first_draws["noise"].append(stream.uniform(4).tolist())
            super().__init__(*args, stream=stream, **settings)

    def watched(n_units: int, *, stream: RandomStream, **settings):
        first_draws["poisson"].append(stream.uniform(4).tolist())
        return original(n_units, stream=stream, **settings)

    original = trainer.poisson_batches
    monkeypatch.setattr(trainer, "poisson_batches", watched)
    monkeypatch.setattr(trainer, "PrivateStep", Watched)
    for server_round in (1, 2):
        run_round(site, server_round)
    draws = [tuple(numbers) for seen in first_draws.values() for numbers in seen]
    assert len(set(draws)) == len(draws) == 4
