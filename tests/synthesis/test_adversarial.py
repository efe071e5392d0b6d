"""Generator steps against a discriminator, and what both are made of."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tiny_world import CODES_2000, SCHEMA, make_generator, make_layout

from synthesis.adversarial import GeneratorStepSettings, improve_generator
from synthesis.discriminator import Discriminator
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.layout import compute_sketch
from synthesis.rows import to_one_hot
from synthesis.targets import make_targets

WIDTH = sum(SCHEMA.sizes)


def make_discriminator() -> Discriminator:
    return Discriminator(WIDTH, hidden=8, rng=torch.Generator().manual_seed(0))


def likes_first_colour() -> Discriminator:
    """A discriminator that finds only red rows real."""
    discriminator = make_discriminator()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.zero_()
        discriminator.layers[0].weight[0, SCHEMA.sizes[0]] = 4.0
        discriminator.layers[2].weight[0, 0] = 1.0
        discriminator.layers[4].weight[0, 0] = 1.0
    return discriminator


def red_share(generator: Generator) -> float:
    with torch.no_grad():
        return float(generator.mixture().columns[1][:, 0].mean())


def improve(generator: Generator, discriminator: Discriminator, loss=None, seed=1, **settings):
    chosen = {"steps": 30, "batch_size": 64, "learning_rate": 5e-3} | settings
    return improve_generator(
        generator,
        [(discriminator, 1.0)],
        loss,
        GeneratorStepSettings(**chosen),
        rng=torch.Generator().manual_seed(seed),
    )


def make_loss() -> SketchLoss:
    layout = make_layout()
    return SketchLoss(make_targets(layout, compute_sketch(layout, CODES_2000), 5.0))


def test_the_generator_learns_what_the_discriminator_likes() -> None:
    before = red_share(make_generator())
    assert red_share(improve(make_generator(), likes_first_colour())) > before + 0.2


def test_the_sketch_holds_the_generator_back() -> None:
    free = red_share(improve(make_generator(), likes_first_colour()))
    held = red_share(improve(make_generator(), likes_first_colour(), make_loss()))
    truth = float((CODES_2000[:, 1] == 0).mean())
    assert abs(held - truth) < abs(free - truth)


def test_a_proximal_term_holds_the_generator_to_its_start() -> None:
    """And none at all is the same as none."""

    def moved(**settings: float) -> float:
        start, found = make_generator(), make_generator()
        found = improve(found, likes_first_colour(), **settings)
        pairs = zip(found.parameters(), start.parameters(), strict=True)
        return float(sum((a - b).detach().square().sum() for a, b in pairs))

    distances = [moved(proximal=mu) for mu in (0.0, 1.0, 100.0)]
    assert distances[0] == moved()
    assert distances[0] > distances[1] > distances[2] > 0


def test_the_discriminator_is_not_changed() -> None:
    discriminator = make_discriminator()
    before = copy.deepcopy(discriminator.state_dict())
    improve(make_generator(), discriminator)
    assert all(torch.equal(before[k], v) for k, v in discriminator.state_dict().items())


def test_no_steps_change_nothing() -> None:
    found = improve(make_generator(), make_discriminator(), steps=0)
    for name, weight in make_generator().state_dict().items():
        assert torch.equal(found.state_dict()[name], weight)


def test_steps_repeat_with_their_source_of_randomness() -> None:
    one, same, other = (
        improve(make_generator(), make_discriminator(), seed=seed, steps=5).anchors
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_one_hot_rows_say_the_codes(rows: int) -> None:
    codes = CODES_2000[:rows]
    encoded = to_one_hot(codes, SCHEMA.sizes)
    assert encoded.shape == (rows, WIDTH)
    for place, column in enumerate(encoded.split(SCHEMA.sizes, dim=1)):
        np.testing.assert_array_equal(column.sum(1).numpy(), np.ones(rows))
        np.testing.assert_array_equal(column.argmax(1).numpy(), codes[:, place])


def test_a_row_is_judged_by_itself() -> None:
    discriminator, rows = make_discriminator(), to_one_hot(CODES_2000[:20], SCHEMA.sizes)
    together = discriminator(rows).detach()
    alone = torch.cat([discriminator(row[None]).detach() for row in rows])
    assert together.shape == (20,)
    torch.testing.assert_close(together, alone)
    assert discriminator(rows[:0]).shape == (0,)
    assert not list(discriminator.buffers())


def test_a_discriminator_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden must be >= 1"):
        Discriminator(5, hidden=0, rng=torch.Generator())


def test_the_sketch_asks_for_no_more_than_the_start_had_reached() -> None:
    """A generator that fits the sketch already is not pushed further into its noise."""
    layout = make_layout()
    counts = compute_sketch(layout, CODES_2000)
    noise = np.random.default_rng(0).normal(0, 400.0, layout.dimension)
    loss = SketchLoss(make_targets(layout, counts + noise, 400.0))
    silent = make_discriminator()
    with torch.no_grad():
        for parameter in silent.parameters():
            parameter.zero_()
    start = make_generator()
    before = [parameter.clone() for parameter in start.parameters()]
    after = improve(start, silent, loss, steps=10)
    for old, new in zip(before, after.parameters(), strict=True):
        assert torch.equal(old, new)
