"""What is believed of a noisy sketch: shares, their noise, and weights that follow from both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import SCHEMA, draw_codes, make_layout

from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Categorical, Integer, Schema
from synthesis.targets import SketchTargets, make_targets

CODES = draw_codes(2000)


def noisy_targets(noise_std: float, seed: int = 0, codes: np.ndarray = CODES) -> SketchTargets:
    layout = make_layout()
    noise = np.random.default_rng(seed).normal(0, noise_std, layout.dimension)
    return make_targets(layout, compute_sketch(layout, codes) + noise, noise_std)


def true_one_way(feature: int, codes: np.ndarray = CODES) -> np.ndarray:
    layout = make_layout()
    groups = layout.groups[feature][codes[:, layout.features[feature]]]
    counts = np.zeros((layout.num_classes, layout.group_sizes[feature]))
    np.add.at(counts, (codes[:, layout.label_index], groups), 1)
    return counts / len(codes)


def test_without_noise_the_truth_comes_out() -> None:
    targets = noisy_targets(0.0)
    layout = targets.layout
    assert targets.rows == pytest.approx(len(CODES))
    labels = np.bincount(CODES[:, layout.label_index]) / len(CODES)
    np.testing.assert_allclose(targets.class_shares, labels)
    for feature, shares in enumerate(targets.one_way):
        np.testing.assert_allclose(shares, true_one_way(feature), atol=1e-12)
    for block in targets.blocks:
        assert block.sum() == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(schemas(), st.integers(0, 60), st.floats(0, 1e4), st.integers(0, 99))
def test_targets_are_usable_whatever_the_noise_made_of_them(schema, rows, noise_std, seed) -> None:
    layout = SketchLayout.from_schema(schema, max_groups=6)
    rng = np.random.default_rng(seed)
    counts = compute_sketch(layout, every_code(schema, rng)[:rows])
    targets = make_targets(layout, counts + rng.normal(0, noise_std, len(counts)), noise_std)
    assert targets.rows >= 1
    assert targets.class_shares.sum() == pytest.approx(1.0)
    assert (targets.class_shares > 0).all()
    assert all((shares >= 0).all() for shares in targets.one_way)
    for block, weight in zip(targets.blocks, targets.weights, strict=True):
        assert block.shape == weight.shape
        assert np.isfinite(weight).all() and (weight > 0).all()
    assert np.isfinite(targets.expected_loss) and targets.expected_loss > 0


def test_estimates_are_right_on_average() -> None:
    several = [noisy_targets(20.0, seed) for seed in range(200)]
    assert np.mean([t.rows for t in several]) == pytest.approx(len(CODES), rel=0.01)
    mean = np.mean([t.class_shares for t in several], axis=0)
    np.testing.assert_allclose(mean, noisy_targets(0.0).class_shares, atol=0.005)
    # a large group, so that the cut at zero does not move the mean
    mean = np.mean([t.one_way[1] for t in several], axis=0)
    np.testing.assert_allclose(mean, true_one_way(1), atol=0.01)


def test_the_average_over_blocks_is_closer_than_one_block() -> None:
    noise_std, truth = 10.0, true_one_way(0)
    averaged, alone = [], []
    for seed in range(60):
        targets = noisy_targets(noise_std, seed)
        averaged.append(np.square(targets.one_way[0] - truth).mean())
        alone.append(np.square(targets.blocks[0].sum(2) - truth).mean())
    assert np.mean(averaged) < 0.6 * np.mean(alone)


def test_more_noise_means_less_weight_and_large_cells_less_than_small_ones() -> None:
    quiet, loud = noisy_targets(1.0), noisy_targets(30.0)
    for a, b in zip(quiet.weights, loud.weights, strict=True):
        assert (b < a).all()
    block, weight = quiet.blocks[-1], quiet.weights[-1]
    order = np.argsort(block.ravel())
    assert weight.ravel()[order[-1]] < weight.ravel()[order[0]]


def test_noise_variance_is_that_of_a_share() -> None:
    targets = noisy_targets(50.0)
    scales = [block.scale for block in targets.layout.blocks]
    variances = [(50.0 / scale / targets.rows) ** 2 for scale in scales]
    assert [v.min() for v in targets.noise_variances] == pytest.approx(variances)
    assert [v.max() for v in targets.noise_variances] == pytest.approx(variances)
    assert targets.noise_std == 50.0
    sums = [weight.sum() for weight in targets.weights]
    assert targets.expected_loss == pytest.approx(float(np.dot(sums, variances)))


def test_weight_of_a_cell_is_one_over_noise_and_model_error() -> None:
    from synthesis.targets import MODEL_ERROR_WEIGHT

    targets = noisy_targets(0.0)
    a, b = true_one_way(1), true_one_way(2)
    expected = a[:, :, None] * b[:, None, :] / targets.class_shares[:, None, None]
    wanted = 1 / (1e-16 + MODEL_ERROR_WEIGHT * expected / len(CODES))
    np.testing.assert_allclose(targets.weights[2], wanted, rtol=1e-6)


def test_features_in_no_pair_have_targets_from_their_own_block() -> None:
    layout = replace(make_layout(), pairs=((0, 2),))
    assert layout.singles == (0, 1)
    targets = make_targets(layout, compute_sketch(layout, CODES), 0.0)
    assert targets.rows == pytest.approx(len(CODES))
    for feature, shares in enumerate(targets.one_way):
        np.testing.assert_allclose(shares, true_one_way(feature), atol=1e-12)


def test_one_feature_is_enough() -> None:
    label = Categorical(name="label", categories=("a", "b"))
    schema = Schema(
        name="two", columns=(label, Integer(name="n", minimum=0, maximum=49)), label="label"
    )
    layout = SketchLayout.from_schema(schema, max_groups=8)
    codes = draw_codes(300, schema=schema)
    targets = make_targets(layout, compute_sketch(layout, codes), 0.0)
    per_group = [
        np.bincount(layout.groups[0][codes[codes[:, 0] == c, 1]], minlength=8) for c in (0, 1)
    ]
    np.testing.assert_allclose(targets.one_way[0], np.array(per_group) / 300, atol=1e-12)


def test_a_sketch_of_another_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="must have shape"):
        make_targets(make_layout(), np.zeros(3), 1.0)
    assert SCHEMA.label_index == 2


def test_class_shares_lean_on_the_blocks_that_tell_them_best() -> None:
    """The average by inverse noise is closer than the plain mean over blocks."""
    truth = noisy_targets(0.0).class_shares
    weighted, plain = [], []
    for seed in range(60):
        targets = noisy_targets(30.0, seed)
        weighted.append(np.abs(targets.class_shares - truth).max())
        given = [b for b in targets.blocks if len(b) == len(truth)]
        totals = [b.reshape(len(truth), -1).sum(1) / b.sum() for b in given]
        plain.append(np.abs(np.mean(totals, axis=0) - truth).max())
    assert np.mean(weighted) < np.mean(plain)


def test_noise_alone_never_rules_out_a_class() -> None:
    for seed in range(40):
        assert noisy_targets(5000.0, seed).class_shares.min() > 0.05
