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
from tiny_world import CODES_2000, make_generator, make_layout

from synthesis import pair_error
from synthesis.fitting import (
    FitSettings,
    SketchLoss,
    fit_generator,
    make_starting_shares,
    update_average,
)
from synthesis.generator import Generator, GeneratorSettings
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.rows import to_one_hot
from synthesis.schema import Categorical, Integer, Schema
from synthesis.targets import SketchTargets, make_targets


def make_noisy(layout: SketchLayout, codes: np.ndarray, noise_std: float, seed: int = 0):
    noise = np.random.default_rng(seed).normal(0, noise_std, layout.dimension)
    return make_targets(layout, compute_sketch(layout, codes) + noise, noise_std)


def loss_block_by_block(targets: SketchTargets, probabilities: np.ndarray) -> float:
    layout = targets.layout
    ends = np.cumsum(layout.sizes)
    columns = np.split(probabilities, ends[:-1], axis=1)
    label = columns[layout.label_index]
    fine = [columns[place] for place in layout.features]
    total = 0.0
    for number, target in enumerate(targets.blocks):
        block, moment = layout.blocks[number], np.zeros(target.shape)
        for row in range(len(label)):  # one latent code at a time
            classes = label[row] if block.is_given_label else np.ones(1)
            if len(block.features) == 2:
                a, b = block.features
                left = np.bincount(layout.groups[a], weights=fine[a][row])
                right = np.bincount(layout.groups[b], weights=fine[b][row])
                moment += classes[:, None, None] * left[:, None] * right / len(label)
            else:
                moment += classes[:, None] * fine[block.features[0]][row] / len(label)
        total += float((targets.weights[number] * (moment - target) ** 2).sum())
    return total / targets.expected_loss


def score(loss: SketchLoss, generator: Generator) -> float:
    with torch.no_grad():
        return float(loss(generator.probabilities()))


@settings(max_examples=25, deadline=None)
@given(
    schemas(max_columns=6),
    st.integers(1, 8),
    st.sampled_from([0.5, 3.0, 40.0]),
    st.sets(st.integers(0, 14)),
    st.sampled_from([1, 8, 1000]),
    st.integers(0, 99),
)
def test_loss_is_what_the_oracle_says(schema, anchors, noise_std, left_out, strip, seed) -> None:
    """Whatever pairs are chosen, and however they are cut into strips."""
    layout = SketchLayout.from_schema(schema, max_groups=6)
    kept = [pair for number, pair in enumerate(layout.pairs) if number not in left_out]
    layout = replace(layout, pairs=tuple(kept))
    targets = make_noisy(layout, every_code(schema, np.random.default_rng(seed)), noise_std, seed)
    generator = make_generator(schema.sizes, num_anchors=anchors, seed=seed)
    probabilities = generator.probabilities().detach()
    wanted = loss_block_by_block(targets, probabilities.double().numpy())
    with patch.multiple(pair_error, ONE_STRIP=strip, STRIP=strip):
        loss = SketchLoss(targets)
    assert float(loss(probabilities)) == pytest.approx(wanted, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(schemas(), st.integers(0, 99))
def test_an_exact_generator_has_no_loss_on_the_noiseless_sketch(schema, seed) -> None:
    layout = SketchLayout.from_schema(schema, max_groups=6)
    codes = every_code(schema, np.random.default_rng(seed))
    targets = make_targets(layout, compute_sketch(layout, codes), 1.0)  # weights as under noise
    truth = to_one_hot(codes, schema.sizes)
    assert float(SketchLoss(targets)(truth)) < 1e-6


def test_expected_loss_is_what_the_truth_scores_under_noise() -> None:
    layout, truth = make_layout(), to_one_hot(CODES_2000, make_layout().sizes)
    scores = [
        float(SketchLoss(make_noisy(layout, CODES_2000, 15.0, seed))(truth)) for seed in range(40)
    ]
    assert np.mean(scores) == pytest.approx(1.0, abs=0.1)


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
        fit_generator(make_generator(), loss, FitSettings(steps=20)).probabilities()
        for _ in range(2)
    )
    assert torch.equal(one, other)


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
    loss, generator = SketchLoss(targets), make_generator(schema.sizes)
    before = score(loss, generator)
    fitted = fit_generator(generator, loss, FitSettings(steps=60))
    assert score(loss, fitted) < 0.5 * before


def test_starting_shares_are_the_column_shares() -> None:
    layout = make_layout()
    targets = make_targets(layout, compute_sketch(layout, CODES_2000), 0.0)
    shares = make_starting_shares(targets)
    assert [len(s) for s in shares] == list(layout.sizes)
    for column, share in enumerate(shares):
        assert share.sum() == pytest.approx(1.0)
        truth = np.bincount(CODES_2000[:, column], minlength=layout.sizes[column]) / 2000
        np.testing.assert_allclose(share, truth, atol=0.01)


def test_starting_shares_hold_for_features_in_no_pair() -> None:
    layout = replace(make_layout(), pairs=((0, 1),))
    targets = make_targets(layout, compute_sketch(layout, CODES_2000), 0.0)
    for column, share in enumerate(make_starting_shares(targets)):
        truth = np.bincount(CODES_2000[:, column], minlength=layout.sizes[column]) / 2000
        np.testing.assert_allclose(share, truth, atol=0.01)


def test_a_start_at_shares_gives_these_shares() -> None:
    targets = make_noisy(make_layout(), CODES_2000, 1.0)
    generator = make_generator()
    with torch.no_grad():
        generator.network[-1].weight.zero_()
    shares = make_starting_shares(targets)
    generator.start_at(shares)
    wanted = np.concatenate([np.maximum(s, 1e-5) / np.maximum(s, 1e-5).sum() for s in shares])
    found = generator.probabilities().detach().numpy()
    np.testing.assert_allclose(found, np.tile(wanted, (32, 1)), atol=1e-5)


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


def count(done: list[int]):
    return lambda step, total: done.append(step)


def make_start(targets: SketchTargets) -> Generator:
    settings = GeneratorSettings(
        sizes=targets.layout.sizes, num_anchors=32, latent_dim=4, hidden=16
    )
    start = Generator(settings, rng=torch.Generator().manual_seed(0))
    start.start_at(make_starting_shares(targets))
    return start
