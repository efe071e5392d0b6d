"""The fit to the sketch, against an oracle that computes every block by itself."""

from __future__ import annotations

import copy
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import CODES_2000, SCHEMA, make_generator, make_layout, to_mixture

from synthesis import pair_error
from synthesis.architecture import GeneratorSettings
from synthesis.fitting import FitSettings, SketchLoss, fit_generator, fit_to_sketch, update_average
from synthesis.generator import Generator, Mixture
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.rows import to_one_hot
from synthesis.schema import Categorical, Integer, Schema
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import SketchTargets, make_targets, perturb


def make_noisy(layout: SketchLayout, codes: np.ndarray, noise_std: float, seed: int = 0):
    noise = np.random.default_rng(seed).normal(0, noise_std, layout.dimension)
    return make_targets(layout, compute_sketch(layout, codes) + noise, noise_std)


def moments_part_by_part(layout: SketchLayout, mixture: Mixture, parts: range) -> list[np.ndarray]:
    """Every block of the sketch that these parts of a mixture would give, one after the other."""
    label = mixture.label.double().numpy()
    columns = [column.probabilities.detach().double().numpy() for column in mixture.features]
    moments = []
    for block in layout.blocks:
        given = np.zeros((layout.num_classes, *block.shape[1:]))
        for part in parts:
            for label_class in range(layout.num_classes):
                fine = [
                    column[part] if column.ndim == 2 else column[label_class, part]
                    for column in columns
                ]
                share = label[part, label_class] / len(parts)
                if len(block.features) == 2:
                    a, b = block.features
                    left = np.bincount(layout.groups[a], weights=fine[a])
                    right = np.bincount(layout.groups[b], weights=fine[b])
                    given[label_class] += share * left[:, None] * right
                else:
                    given[label_class] += share * fine[block.features[0]]
        moments.append(given if block.is_given_label else given.sum(0, keepdims=True))
    return moments


def loss_block_by_block(targets: list[SketchTargets], mixture: Mixture) -> float:
    """The mean loss of the members, each against its own targets."""
    each = len(mixture.label) // len(targets)
    total = 0.0
    for member, told in enumerate(targets):
        parts = range(member * each, (member + 1) * each)
        for number, moment in enumerate(moments_part_by_part(told.layout, mixture, parts)):
            error = (moment - told.blocks[number]) ** 2
            total += float((targets[0].weights[number] * error).sum())
    return total / targets[0].expected_loss / len(targets)


def score(loss: SketchLoss, generator: Generator) -> float:
    with torch.no_grad():
        return float(loss(generator.mixture()))


@settings(max_examples=25, deadline=None)
@given(
    schemas(max_columns=6),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([0.5, 3.0, 40.0]),
    st.sets(st.integers(0, 14)),
    st.sampled_from([1, 8, 1000]),
    st.integers(0, 99),
)
def test_loss_is_what_the_oracle_says(
    schema, anchors, members, noise_std, left_out, strip, seed
) -> None:
    """Whatever pairs are chosen, however they are cut into strips, for any number of members."""
    layout = SketchLayout.from_schema(schema, max_groups=6)
    kept = [pair for number, pair in enumerate(layout.pairs) if number not in left_out]
    layout = replace(layout, pairs=tuple(kept))
    rng = np.random.default_rng(seed)
    targets = perturb(make_noisy(layout, every_code(schema, rng), noise_std, seed), members, rng)
    generator = make_generator(schema, num_anchors=anchors, num_members=members, seed=seed)
    with torch.no_grad():
        mixture = generator.mixture()
    with patch.multiple(pair_error, ONE_STRIP=strip, STRIP=strip):
        for told in (targets, targets[:1]):  # member by member, and the mixture as a whole
            wanted = loss_block_by_block(told, mixture)
            assert float(SketchLoss(*told)(mixture)) == pytest.approx(wanted, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(schemas(), st.integers(0, 99))
def test_an_exact_generator_has_no_loss_on_the_noiseless_sketch(schema, seed) -> None:
    layout = SketchLayout.from_schema(schema, max_groups=6)
    codes = every_code(schema, np.random.default_rng(seed))
    targets = make_targets(layout, compute_sketch(layout, codes), 1.0)  # weights as under noise
    truth = to_mixture(to_one_hot(codes, schema.sizes), schema.sizes, schema.label_index)
    assert float(SketchLoss(targets)(truth)) < 1e-6


def test_expected_loss_is_what_the_truth_scores_under_noise() -> None:
    layout = make_layout()
    truth = to_mixture(to_one_hot(CODES_2000, SCHEMA.sizes), SCHEMA.sizes, SCHEMA.label_index)
    scores = [
        float(SketchLoss(make_noisy(layout, CODES_2000, 15.0, seed))(truth)) for seed in range(40)
    ]
    assert np.mean(scores) == pytest.approx(1.0, abs=0.1)
    spread = SketchLoss(make_noisy(layout, CODES_2000, 15.0)).spread
    assert np.std(scores) == pytest.approx(spread, rel=0.3)


def test_fitting_lowers_the_loss_towards_what_noise_explains() -> None:
    targets = make_noisy(make_layout(), CODES_2000, 60.0)
    loss, start = SketchLoss(targets), make_generator()
    start.start_at(make_starting_shares(targets))
    before = score(loss, start)
    seen: list[tuple[int, int]] = []
    fitted = fit_generator(
        copy.deepcopy(start), loss, FitSettings(steps=150), on_step=lambda *at: seen.append(at)
    )
    after = score(loss, fitted)
    assert after < 0.4 * before
    assert after < 2.0
    assert seen == [(step, 150) for step in range(1, 151)]
    longer = fit_generator(copy.deepcopy(start), loss, FitSettings(steps=300))
    assert score(loss, longer) < after


def test_a_fit_repeats_exactly() -> None:
    loss = SketchLoss(make_noisy(make_layout(), CODES_2000, 5.0))
    one, other = (
        fit_generator(make_generator(), loss, FitSettings(steps=20)).mixture() for _ in range(2)
    )
    for column, same in zip(one.columns, other.columns, strict=True):
        assert torch.equal(column, same)


def test_a_schema_of_one_feature_can_be_fitted() -> None:
    schema = Schema(
        name="two",
        columns=(
            Integer(name="n", minimum=0, maximum=49),
            Categorical(name="label", categories=("a", "b")),
        ),
        label="label",
    )
    layout = SketchLayout.from_schema(schema, max_groups=8)
    targets = make_noisy(layout, every_code(schema, np.random.default_rng(0)), 1.0)
    loss, generator = SketchLoss(targets), make_generator(schema)
    before = score(loss, generator)
    fitted = fit_generator(generator, loss, FitSettings(steps=60))
    assert score(loss, fitted) < 0.5 * before


@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0])
def test_running_average_is_the_stated_mean(decay: float) -> None:
    average, current = make_generator(seed=1), make_generator(seed=2)
    old = [p.clone() for p in average.parameters()]
    update_average(average, current, decay=decay)
    for kept, before, new in zip(average.parameters(), old, current.parameters(), strict=True):
        torch.testing.assert_close(kept, decay * before + (1 - decay) * new)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": 0.0}, {"learning_rate": -1.0}])
def test_settings_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="steps must be >= 1"):
        FitSettings(**wrong)


def test_fitting_returns_a_generator_of_its_own() -> None:
    start = make_generator()
    fitted = fit_generator(
        start, SketchLoss(make_noisy(make_layout(), CODES_2000, 5.0)), FitSettings(steps=3)
    )
    assert isinstance(fitted, Generator) and fitted is not start


def test_where_there_is_only_noise_the_fit_leaves_the_start_alone() -> None:
    """Independent columns explain pure noise as well as anything; fitting on would follow it."""
    layout, steps = make_layout(), []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(0, 100.0, layout.dimension)
        targets = make_targets(layout, noise, 100.0)
        done: list[int] = []
        fit_generator(
            make_start(targets), SketchLoss(targets), FitSettings(steps=400), on_step=count(done)
        )
        assert done[-1] == 400  # whoever shows progress is told that it is over
        steps.append(len(done))
    assert sorted(steps)[6] < 10  # one in eight may look like a little signal
    assert max(steps) < 100


def test_where_there_is_signal_the_fit_uses_its_steps() -> None:
    targets = make_noisy(make_layout(), CODES_2000, 3.0)
    done: list[int] = []
    fit_generator(
        make_start(targets), SketchLoss(targets), FitSettings(steps=60), on_step=count(done)
    )
    assert len(done) == 60


@pytest.mark.parametrize("members", [2, 6])
def test_the_noise_of_members_is_as_strong_and_cancels(members: int) -> None:
    targets = make_noisy(make_layout(), CODES_2000, 30.0)
    several = perturb(targets, members, np.random.default_rng(1))
    assert len(several) == members
    for number, told in enumerate(targets.blocks):
        added = np.stack([each.blocks[number] - told for each in several])
        np.testing.assert_allclose(added.mean(0), 0.0, atol=1e-15)
        if told.size > 50:
            variance = float(targets.noise_variances[number].max())
            assert added.var() == pytest.approx(variance, rel=0.5)
            assert several[0].noise_variances[number].max() == pytest.approx(2 * variance)
    truth = to_mixture(to_one_hot(CODES_2000, SCHEMA.sizes), SCHEMA.sizes, SCHEMA.label_index)
    scores = [
        float(SketchLoss(each)(truth))
        for seed in range(20)
        for each in perturb(
            make_noisy(make_layout(), CODES_2000, 30.0, seed), members, np.random.default_rng(seed)
        )
    ]
    assert np.mean(scores) == pytest.approx(1.0, abs=0.1)


def test_one_member_is_fitted_to_the_sketch_as_it_is() -> None:
    targets = make_noisy(make_layout(), CODES_2000, 30.0)
    assert perturb(targets, 1, np.random.default_rng(0)) == [targets]


@pytest.mark.slow
def test_a_mixture_of_members_strays_less_than_one() -> None:
    layout = make_layout()
    exact = make_targets(layout, compute_sketch(layout, CODES_2000), 100.0)

    def miss(seed: int, members: int) -> float:
        generator = make_generator(num_anchors=32, num_members=members, seed=seed)
        fitted = fit_to_sketch(
            generator,
            make_noisy(layout, CODES_2000, 100.0, seed),
            FitSettings(steps=200),
            rng=np.random.default_rng(seed),
        )
        return score(SketchLoss(exact), fitted)

    several, one = ([miss(seed, members) for seed in range(4)] for members in (4, 1))
    assert np.mean(several) < np.mean(one)


def count(done: list[int]):
    return lambda step, total: done.append(step)


def make_start(targets: SketchTargets) -> Generator:
    settings = GeneratorSettings.for_schema(
        SCHEMA, num_members=1, num_anchors=32, latent_dim=4, hidden=16
    )
    start = Generator(settings, rng=torch.Generator().manual_seed(0))
    start.start_at(make_starting_shares(targets))
    return start
