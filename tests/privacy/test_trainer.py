"""The private trainer: the event decides noise, rate and steps, once and together."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from private_steps import FAKES, draw_fakes, make_discriminator
from private_trainers import EVENT, ROWS, make_trainer
from torch import Tensor, nn

from privacy import trainer


def weights_of(discriminator: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in discriminator.parameters()]).clone()


def test_noise_rate_and_steps_are_those_of_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict] = []
    drawn: list[dict] = []

    class Watched(trainer.PrivateStep):
        def __init__(self, *args, **settings) -> None:
            made.append({k: v for k, v in settings.items() if k != "stream"})
            super().__init__(*args, **settings)

    def watched(n_units: int, **settings):
        drawn.append({"n_units": n_units} | {k: settings[k] for k in ("sample_rate", "steps")})
        return original(n_units, **settings)

    original = trainer.poisson_batches
    monkeypatch.setattr(trainer, "PrivateStep", Watched)
    monkeypatch.setattr(trainer, "poisson_batches", watched)
    taken: list[int] = []
    fakes: list[int] = []

    def take_rows(units: Tensor) -> Tensor:
        taken.append(len(units))
        return ROWS[units]

    def draw(number: int) -> Tensor:
        fakes.append(number)
        return draw_fakes(number)

    make_trainer().train(len(ROWS), take_rows, draw)
    assert [m["noise_multiplier"] for m in made] == [EVENT.noise_multiplier]
    assert drawn == [{"n_units": 40, "sample_rate": EVENT.sample_rate, "steps": EVENT.steps}]
    assert len(taken) == EVENT.steps and len(set(taken)) > 1
    assert fakes == [FAKES] * EVENT.steps


def test_every_step_moves_the_weights_even_without_units() -> None:
    discriminator = make_discriminator()
    private = make_trainer(discriminator)
    for _ in range(EVENT.steps):
        before = weights_of(discriminator)
        private.train(0, lambda units: ROWS[units], draw_fakes, steps=1)
        assert (weights_of(discriminator) != before).all()


def test_a_round_is_a_part_of_the_event_and_more_than_all_is_refused() -> None:
    private = make_trainer()
    train = partial(private.train, len(ROWS), lambda units: ROWS[units], draw_fakes)
    train(steps=3)
    with pytest.raises(RuntimeError, match="4 that are left of the 7 reserved"):
        train(steps=5)
    train(steps=3)
    train()
    with pytest.raises(RuntimeError, match="0 that are left"):
        train()
    with pytest.raises(ValueError, match="steps must be a whole number"):
        train(steps=0)


def test_steps_that_failed_are_spent() -> None:
    private = make_trainer()

    def fail(units: Tensor) -> Tensor:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        private.train(len(ROWS), fail, draw_fakes, steps=6)
    with pytest.raises(RuntimeError, match="1 that are left"):
        private.train(len(ROWS), lambda units: ROWS[units], draw_fakes, steps=2)


def test_parts_draw_coins_and_noise_of_their_own_and_the_whole_is_repeatable() -> None:
    def run(parts: list[int]) -> tuple[list[list[int]], Tensor]:
        discriminator, taken = make_discriminator(), []
        private = make_trainer(discriminator)

        def take_rows(units: Tensor) -> Tensor:
            taken.append(units.tolist())
            return ROWS[units]

        for part in parts:
            private.train(len(ROWS), take_rows, draw_fakes, steps=part)
        return taken, weights_of(discriminator)

    whole, parts = run([7]), run([3, 3, 1])
    assert whole[0] == parts[0]
    assert torch.equal(whole[1], parts[1])
    assert len({tuple(units) for units in whole[0]}) == 7


@pytest.mark.parametrize("rows", [ROWS, ROWS[:0]])
def test_rows_that_are_not_one_for_each_unit_are_refused(rows: Tensor) -> None:
    with pytest.raises(ValueError, match="exactly one row for each unit"):
        make_trainer(event=EVENT).train(len(ROWS), lambda units: rows, draw_fakes)


def test_the_optimizer_is_the_one_that_was_made() -> None:
    assert isinstance(make_trainer().optimizer, torch.optim.SGD)
