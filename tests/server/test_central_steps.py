"""Generator steps at the coordinator, against the discriminators of all sites."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
import torch
from site_sketches import LAYOUT, sketch_of
from tiny_sites import make_study
from tiny_world import SCHEMA, make_generator

from server.central_steps import CentralSteps, make_central_steps
from strategies.aggregation import FloatArray
from strategies.rules import Judge
from synthesis.architecture import SiteGroup
from synthesis.discriminator import Discriminator
from synthesis.generator import Generator

Weights = list[FloatArray]
ALL = (1, 2, 3)


def to_list(network: torch.nn.Module) -> Weights:
    return [each.detach().numpy().copy() for each in network.state_dict().values()]


def judge(node: int, colour: int | None = None, weight: float = 1.0) -> Judge:
    """A discriminator that finds only rows of one colour real, or one that knows nothing."""
    found = Discriminator(sum(SCHEMA.sizes), rng=torch.Generator().manual_seed(node))
    if colour is not None:
        with torch.no_grad():
            for parameter in found.parameters():
                parameter.zero_()
            found.layers[0].weight[0, SCHEMA.sizes[0] + colour] = 4.0
            found.layers[2].weight[0, 0] = 1.0
            found.layers[4].weight[0, 0] = 1.0
    return Judge(node=node, model=to_list(found), weight=weight)


def make_steps(
    generator: Generator, epsilons: dict[int, float] | None = None, **changes: object
) -> CentralSteps:
    study = make_study(strategy="mdgan", epsilon=60.0, generator_steps=15, **changes)
    told = epsilons or dict.fromkeys(ALL, 60.0)
    return CentralSteps(study, LAYOUT, generator.settings, sketch_of(900, 0), told)


def load(generator: Generator, weights: Weights) -> Generator:
    found = Generator(generator.settings, rng=torch.Generator())
    names = found.state_dict()
    found.load_state_dict(
        {n: torch.from_numpy(np.array(w)) for n, w in zip(names, weights, strict=True)}
    )
    return found


def share_of(generator: Generator, colour: int) -> float:
    with torch.no_grad():
        return float(generator.mixture().columns[1][:, colour].mean())


def improve(judges: Sequence[Judge], rounds: int = 0, **changes: object) -> Weights:
    generator = make_generator()
    return make_steps(generator, **changes).improve(to_list(generator), judges, rounds)  # type: ignore[arg-type]


def distance(weights: Weights) -> float:
    pairs = zip(weights, to_list(make_generator()), strict=True)
    return float(sum(np.square(a - b).sum() for a, b in pairs))


def test_the_form_is_that_of_a_sites_discriminator() -> None:
    form = make_steps(make_generator()).form()
    expected = Discriminator(sum(SCHEMA.sizes), rng=torch.Generator()).state_dict()
    assert {n: w.shape for n, w in form.items()} == {n: tuple(w.shape) for n, w in expected.items()}


def test_the_generator_goes_where_most_weight_is() -> None:
    start = share_of(make_generator(), 0)
    red, blue = (
        share_of(load(make_generator(), improve([judge(1, 0, one), judge(2, 2, other)])), 0)
        for one, other in ((9.0, 1.0), (1.0, 9.0))
    )
    assert red > start and red > blue


def test_neither_the_order_nor_the_names_of_sites_change_a_bit() -> None:
    models = [judge(n) for n in ALL]
    found = {
        b"".join(
            w.tobytes()
            for w in improve(
                [Judge(node=n, model=m.model, weight=1.0) for n, m in zip(ALL, order, strict=True)]
            )
        )
        for order in permutations(models)
    }
    assert len(found) == 1


def test_only_what_weights_are_beside_each_other_matters() -> None:
    one, twice = (improve([judge(1, 0, k), judge(2, 2, 3 * k)]) for k in (1.0, 2.0))
    assert all(np.array_equal(a, b) for a, b in zip(one, twice, strict=True))


def test_every_round_has_draws_of_its_own_and_repeats_them() -> None:
    first, again, second = (improve([judge(1)], rounds) for rounds in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_noisier_discriminators_move_it_less_and_more_of_them_move_it_further() -> None:
    moved = {
        epsilon: distance(improve([judge(1)], epsilons=dict.fromkeys(ALL, epsilon)))
        for epsilon in (1.0, 60.0)
    }
    assert moved[1.0] < moved[60.0]
    same = (
        [judge(1, weight=1.0)],
        [judge(1), *(Judge(node=n, model=judge(1).model, weight=1.0) for n in (2, 3))],
    )
    alone, three = (distance(improve(judges, epsilons=dict.fromkeys(ALL, 1.0))) for judges in same)
    assert alone < three


def test_of_a_generator_of_groups_what_describes_all_is_trained() -> None:
    groups = (SiteGroup(share=0.5), SiteGroup(share=0.5))
    generator = make_generator(num_members=2, groups=groups)
    steps = make_central_steps(
        make_study(strategy="mdgan", epsilon=60.0),
        LAYOUT,
        generator,
        sketch_of(900, 0),
        dict.fromkeys(ALL, 60.0),
    )
    own = to_list(make_generator(num_members=1))
    found = steps.improve(own, [judge(1, 0)], 0)
    assert [each.shape for each in found] == [each.shape for each in own]


@pytest.mark.parametrize("size", [1e3, 1e4])
def test_the_largest_weights_that_pass_leave_the_generator_finite(size: float) -> None:
    model = judge(1).model
    norm = np.sqrt(sum(np.square(each).sum() for each in model))
    large = Judge(
        node=1, model=[(each * size / norm).astype(np.float32) for each in model], weight=1.0
    )
    assert all(np.isfinite(each).all() for each in improve([large, judge(2)]))
