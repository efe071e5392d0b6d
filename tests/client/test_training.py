"""A round at a site: each once, never more than planned, and only private things remain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from asking import ask_train, be_inside_a_run, code_of, numbers_of
from safetensors.torch import load
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA, make_generator

from client import training
from client.refusals import MalformedRequest
from client.site import Site
from client.sketching import release_sketch
from client.training import train_round
from privacy import AlreadyReleased, Part, State, trainer
from privacy.private_step import PrivateStep
from privacy.record_losses import judge_rows
from strategies.protocol import ARRAYS
from synthesis import InputError
from synthesis.adversarial import GeneratorStepSettings
from synthesis.discriminator import Discriminator
from synthesis.generator import Generator
from synthesis.layout import SketchLayout

POOLED = torch.from_numpy(
    np.random.default_rng(0).uniform(1, 9, SketchLayout.from_schema(SCHEMA).dimension)
).float()


def run_round(site: Site, server_round: int, **changes) -> Generator:
    return train_round(
        site,
        make_request(**changes),
        make_generator(),
        server_round=server_round,
        pooled_sketch=POOLED if server_round == 1 else None,
        pooled_noise_std=3.0,
    )


def notes_of(site: Site) -> list[str]:
    return [entry.note for entry in site.ledger.entries() if entry.state is State.RUNNING]


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = write_site(tmp_path / "site-1")
    release_sketch(site, make_request())
    return site


def weights_of(generator: Generator) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in generator.parameters()])


def test_a_study_runs_its_rounds_and_is_done(site: Site) -> None:
    sent = {name: weight.numpy() for name, weight in make_generator().state_dict().items()}
    for server_round in (1, 2):
        reply = ask_train(site.folder.parent, server_round=server_round)
        local = {n: array.numpy() for n, array in reply.content.array_records[ARRAYS].items()}
        assert all(np.isfinite(weights).all() for weights in local.values())
        assert any((weights != sent[name]).any() for name, weights in local.items())
    assert notes_of(site) == ["sketch", "round-1", "round-1-kept", "round-2", "round-2-kept"]
    assert site.ledger.entries()[-1].state is State.DONE
    assert site.ledger.epsilon() <= 1.0


def test_a_round_is_never_run_twice(site: Site) -> None:
    first = numbers_of(ask_train(site.folder.parent))
    head = site.ledger.head()
    with pytest.raises(AlreadyReleased, match="answered before"):
        run_round(site, 1)
    (site.folder / "rows.parquet").unlink()  # nothing is read for an answer that is kept
    assert numbers_of(ask_train(site.folder.parent)) == first
    assert site.ledger.head() == head


@pytest.mark.parametrize("server_round", [-1, 0, 3, 10**9])
def test_a_round_beyond_the_plan_is_refused(site: Site, server_round: int) -> None:
    with pytest.raises(MalformedRequest, match="reserved"):
        run_round(site, server_round)
    assert notes_of(site) == ["sketch"]


def test_more_rounds_than_reserved_cannot_be_asked_for_later(site: Site) -> None:
    with pytest.raises(ValueError, match="other events or details"):
        run_round(site, 3, rounds=3)
    assert notes_of(site) == ["sketch"]


def test_the_same_steps_cut_into_other_rounds_are_refused(site: Site) -> None:
    """Two rounds of 3 steps are paid for; a first round of 6 and a second of 3 are not."""
    with pytest.raises(ValueError, match="other events or details"):
        run_round(site, 1, rounds=1, discriminator_steps=6)
    assert notes_of(site) == ["sketch"]


def test_rounds_never_go_back_and_a_missed_one_stays_out(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")

    def play(server_round: int) -> None:
        train_round(
            site,
            make_request(rounds=3),
            make_generator(),
            server_round=server_round,
            pooled_sketch=POOLED,
            pooled_noise_std=3.0,
        )

    play(2)  # this site was away in the first round
    with pytest.raises(AlreadyReleased, match="later round"):
        play(1)
    play(3)
    assert notes_of(site) == ["round-2", "round-3"]


@pytest.mark.parametrize("noise", [-1.0, float("nan"), float("inf"), 1e300])
def test_a_noise_that_cannot_be_uses_up_no_round(site: Site, noise: float) -> None:
    with pytest.raises(MalformedRequest, match="pooled-noise-std"):
        train_round(
            site,
            make_request(),
            make_generator(),
            server_round=1,
            pooled_sketch=POOLED,
            pooled_noise_std=noise,
        )
    assert notes_of(site) == ["sketch"]


def test_nothing_runs_after_the_last_round(site: Site) -> None:
    for server_round in (1, 2):
        assert not ask_train(site.folder.parent, server_round=server_round).has_error()
    for server_round in (1, 2):
        with pytest.raises(AlreadyReleased):
            run_round(site, server_round)
    with pytest.raises(AlreadyReleased, match="cannot be used again"):
        release_sketch(site, make_request())  # it began, and nobody asked for it before the end


def test_the_ledger_knows_of_the_round_before_a_row_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    original = Site.read_units

    def watched(self: Site, part: Part):
        seen.append(notes_of(self))
        return original(self, part)

    monkeypatch.setattr(Site, "read_units", watched)
    run_round(site, 1)
    assert seen == [["sketch", "round-1"]]


def test_a_round_that_could_not_read_the_table_may_begin_again(site: Site) -> None:
    (site.folder / "rows.parquet").rename(site.folder / "away.parquet")
    with pytest.raises(InputError):
        run_round(site, 1)
    (site.folder / "away.parquet").rename(site.folder / "rows.parquet")
    spent = site.ledger.epsilon()
    run_round(site, 1)
    assert notes_of(site) == ["sketch", "round-1", "round-1-again-1"]
    assert site.ledger.epsilon() == spent


@pytest.mark.parametrize("step", ["_make_trainer", "choose_generator_steps"])
def test_a_round_that_fails_for_an_unknown_reason_is_spent(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FloatingPointError

    with monkeypatch.context() as patch:
        patch.setattr(training, step, fail)
        assert code_of(ask_train(site.folder.parent)) == "local-failure"
    assert code_of(ask_train(site.folder.parent)) == "already-released"
    assert notes_of(site)[-2:] == ["round-1", "round-1-spoiled"]
    assert not ask_train(site.folder.parent, server_round=2).has_error()  # later ones go on


def test_a_round_without_a_sketch_pays_for_the_whole_study_first(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")
    run_round(site, 1)
    assert site.ledger.epsilon() > 0.99


def test_every_step_of_a_round_uses_the_noise_clip_and_sizes_of_the_plan(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []
    made: list[dict[str, object]] = []

    class Watched(PrivateStep):
        def __init__(self, *args, **settings) -> None:
            made.append({k: v for k, v in settings.items() if k != "stream"})
            super().__init__(*args, **settings)

        def step(self, real, fake) -> None:
            steps.append((len(real), len(fake)))
            super().step(real, fake)

    monkeypatch.setattr(trainer, "PrivateStep", Watched)
    request = make_request()
    run_round(site, 1)
    assert made == [
        {
            "noise_multiplier": request.make_plan().training_noise_multiplier,
            "max_grad_norm": 1.0,
            "expected_batch_size": 8,
            "fake_batch_size": 8,
            "losses": judge_rows,
        }
    ]
    assert len(steps) == 3
    assert {fakes for _, fakes in steps} == {8}
    assert len({real for real, _ in steps}) > 1  # Poisson batches vary in size


def test_a_round_is_repeatable_in_a_simulation_and_rounds_differ(tmp_path: Path) -> None:
    found = []
    for folder in ("a", "b"):
        site = write_site(tmp_path / folder / "same-name")
        found.append([weights_of(run_round(site, number)) for number in (1, 2)])
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][0], found[0][1])


def test_the_discriminator_goes_on_where_it_stopped(site: Site) -> None:
    for server_round in (1, 2, 2):  # the last round begins again, and takes no step twice
        run_round(site, server_round)
    steps = {
        path.stem: float(load(path.read_bytes())["optimizer.0.step"])
        for path in (site.folder / "state").rglob("training-*.safetensors")
    }
    assert steps == {"training-1": 3.0, "training-2": 6.0}


@pytest.mark.parametrize("wrong", [POOLED[:-1], POOLED[None], torch.zeros(0)])
def test_a_pooled_sketch_of_another_shape_uses_up_no_round(site: Site, wrong) -> None:
    kept = set(site.folder.rglob("*"))
    with pytest.raises(ValueError, match="must have shape"):
        train_round(
            site,
            make_request(),
            make_generator(),
            server_round=1,
            pooled_sketch=wrong,
            pooled_noise_std=3.0,
        )
    assert notes_of(site) == ["sketch"]
    assert set(site.folder.rglob("*")) == kept  # nothing of it stays on the disk


def test_a_site_that_never_got_the_pooled_sketch_uses_up_no_round(site: Site) -> None:
    with pytest.raises(MalformedRequest, match="must come before"):
        run_round(site, 2)
    assert notes_of(site) == ["sketch"]


def test_the_noisier_the_discriminator_the_smaller_the_generator_steps(site: Site) -> None:
    discriminator = Discriminator(sum(SCHEMA.sizes), rng=torch.Generator().manual_seed(0))

    def learning_rate(**changes) -> float:
        request = make_request(**changes)
        return training.choose_generator_steps(
            request.make_plan(),
            discriminator,
            generator_steps=request.generator_steps,
            expected_batch_size=request.expected_batch_size,
        ).learning_rate

    rates = [learning_rate(expected_batch_size=size) for size in (1, 10, 1000)]
    assert rates == sorted(rates)
    assert rates[0] < 0.5 * rates[-1]
    usual = GeneratorStepSettings(steps=1).learning_rate
    assert 0 < rates[0] and rates[-1] < usual
