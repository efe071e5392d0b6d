"""Fitting groups of sites: each is met, and so is the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_world import SCHEMA, draw_codes, make_layout

from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.fitting import FitSettings, SketchLoss, compute_loss, fit_to_sketch
from synthesis.generator import Generator
from synthesis.group_fitting import (
    MEMBERS_OF_EACH,
    SHARE_OF_ALL,
    GroupTargets,
    describe_parts,
    fit_groups,
    settings_of_each,
)
from synthesis.layout import compute_sketch
from synthesis.targets import SketchTargets, make_targets

LAYOUT = make_layout()
STEPS = FitSettings(steps=400, learning_rate=1e-2)
ROWS = (3000, 1000)
NOISE_STD = 4.0


def sketch_of(rows: int, seed: int) -> np.ndarray:
    codes = draw_codes(rows, seed)
    if seed:  # the second population leans the other way
        codes[:, 1:] = np.array(SCHEMA.sizes)[1:] - 1 - codes[:, 1:]
    counts = compute_sketch(LAYOUT, codes.astype(np.int16), np.ones(rows))
    return np.asarray(counts + np.random.default_rng(seed).normal(0, NOISE_STD, len(counts)))


def make_groups(number: int = 2) -> tuple[list[GroupTargets], SketchTargets]:
    sketches = [sketch_of(rows, seed) for seed, rows in enumerate(ROWS[:number])]
    total = sum(ROWS[:number])
    groups = [
        GroupTargets(
            group=SiteGroup(share=rows / total, sites=(f"site {seed}",)),
            targets=make_targets(LAYOUT, sketch, NOISE_STD),
        )
        for seed, (rows, sketch) in enumerate(zip(ROWS, sketches, strict=False))
    ]
    whole = make_targets(LAYOUT, np.sum(sketches, axis=0), NOISE_STD * number**0.5)
    return groups, whole


def make_one(seed: int = 0, members: int = 2) -> Generator:
    settings = GeneratorSettings.for_schema(
        SCHEMA, num_members=members, num_anchors=32, latent_dim=8, hidden=32
    )
    return Generator(settings, rng=torch.Generator().manual_seed(seed))


def fit(number: int = 2, **more: object) -> Generator:
    groups, whole = make_groups(number)
    parts = describe_parts([each.group for each in groups])
    generators = [make_one(seed) for seed in range(len(parts))]
    rng = np.random.default_rng(0)
    return fit_groups(generators, groups, whole, STEPS, rng=rng, **more)  # type: ignore[arg-type]


def only(generator: Generator, number: int) -> Generator:
    groups = generator.settings.groups
    shares = [SiteGroup(share=float(place == number)) for place in range(len(groups))]
    return generator.regrouped(shares)


@pytest.fixture(scope="module")
def joined() -> Generator:
    return fit()


def test_each_group_meets_its_own_sketch_and_the_mixture_that_of_all(joined: Generator) -> None:
    groups, whole = make_groups()
    described = joined.settings.groups
    assert [group.sites for group in described] == [("site 0",), ("site 1",), ()]
    assert [group.share for group in described] == [
        *(each.group.share * (1 - SHARE_OF_ALL) for each in groups),
        SHARE_OF_ALL,
    ]
    assert compute_loss(joined, SketchLoss(whole)) < 1.3
    for number, each in enumerate(groups):
        own = SketchLoss(each.targets)
        assert compute_loss(only(joined, number), own) < 1.3
        assert compute_loss(only(joined, 1 - number), own) > 3
    assert compute_loss(only(joined, 2), SketchLoss(whole)) < 1.3
    assert compute_loss(only(joined, 2), SketchLoss(groups[1].targets)) > 3
    together = fit_to_sketch(make_one(members=4), whole, STEPS, rng=np.random.default_rng(0))
    assert compute_loss(together, SketchLoss(groups[1].targets)) > 3


def test_one_group_is_fitted_as_ever() -> None:
    groups, whole = make_groups(1)
    alone = fit_to_sketch(make_one(), whole, STEPS, rng=np.random.default_rng(0))
    joined = fit(1)
    assert joined.settings.groups == (groups[0].group,)
    for name, weight in alone.state_dict().items():
        assert torch.equal(joined.state_dict()[name], weight)


def test_the_same_seed_gives_the_same_generator_and_progress_goes_up_to_its_end(
    joined: Generator,
) -> None:
    told: list[tuple[int, int]] = []
    again = fit(on_step=lambda done, total: told.append((done, total)))
    for name, weight in joined.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    done = [each for each, _ in told]
    assert {total for _, total in told} == {3 * STEPS.steps}
    assert done == sorted(done)
    assert done[-1] == 3 * STEPS.steps


@pytest.mark.parametrize(("groups", "members"), [(1, 8), (2, MEMBERS_OF_EACH)])
def test_several_groups_have_fewer_members_each(groups: int, members: int) -> None:
    settings = GeneratorSettings.for_schema(SCHEMA)
    assert settings_of_each(settings, groups) == replace(settings, num_members=members)
