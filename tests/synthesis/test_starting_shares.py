"""What the generator starts from: right without noise, and better than the noisy counts with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import CODES_2000, SCHEMA, make_generator, make_layout

from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Categorical, Integer, Schema
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import make_targets

SPIKED = Schema(
    name="spiked",
    columns=(
        Integer(name="hours", minimum=0, maximum=99),
        Categorical(name="label", categories=("a", "b")),
    ),
    label="label",
)


def truth_of(codes: np.ndarray, column: int, layout: SketchLayout) -> np.ndarray:
    """Shares of the codes given the class, counted."""
    label = codes[:, layout.label_index]
    counts = [
        np.bincount(codes[label == each, column], minlength=layout.sizes[column])
        for each in range(layout.num_classes)
    ]
    return np.stack(counts) / np.maximum(1, np.stack(counts).sum(1, keepdims=True))


def draw_spiked(rows: int, seed: int) -> np.ndarray:
    """Forty hours for most, a smooth hill for the rest; class b has a spike of its own."""
    rng = np.random.default_rng(seed)
    label = (rng.random(rows) < 0.3).astype(np.int16)
    hours = np.clip(rng.normal(45, 15, rows), 0, 99).astype(np.int16)
    hours[rng.random(rows) < 0.4] = 40
    hours[(label == 1) & (rng.random(rows) < 0.3)] = 77
    return np.stack([hours, label], axis=1)


@pytest.mark.parametrize("pairs", [None, ((0, 1),)])
def test_without_noise_they_are_the_shares_given_the_class(pairs) -> None:
    """Also of features in no pair."""
    layout = make_layout() if pairs is None else replace(make_layout(), pairs=pairs)
    targets = make_targets(layout, compute_sketch(layout, CODES_2000), 0.0)
    shares = make_starting_shares(targets)
    for column in layout.features:
        np.testing.assert_allclose(shares[column], truth_of(CODES_2000, column, layout), atol=1e-6)
    label = np.bincount(CODES_2000[:, layout.label_index], minlength=layout.num_classes)
    np.testing.assert_allclose(shares[layout.label_index][0], label / 2000, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(schemas(max_columns=5), st.sampled_from([0.0, 1.0, 50.0, 1e4]), st.integers(0, 99))
def test_they_are_distributions_whatever_the_noise(schema, noise_std, seed) -> None:
    layout = SketchLayout.from_schema(schema, max_groups=6)
    rng = np.random.default_rng(seed)
    sketch = compute_sketch(layout, every_code(schema, rng))
    noisy = sketch + rng.normal(0, noise_std, layout.dimension)
    shares = make_starting_shares(make_targets(layout, noisy, noise_std))
    assert [each.shape[1] for each in shares] == list(schema.sizes)
    for each in shares:
        assert (each >= 0).all()
        np.testing.assert_allclose(each.sum(1), 1.0, atol=1e-9)


def test_noise_is_taken_out_and_spikes_stay() -> None:
    layout, codes = SketchLayout.from_schema(SPIKED), draw_spiked(20_000, 1)
    truth = truth_of(codes, 0, layout)
    rng = np.random.default_rng(2)
    started, counted = [], []
    for _ in range(20):
        noisy = compute_sketch(layout, codes) + rng.normal(0, 300.0, layout.dimension)
        targets = make_targets(layout, noisy, 300.0)
        shares = make_starting_shares(targets)[0]
        (given_label,) = (
            told
            for block, told in zip(layout.blocks, targets.blocks, strict=True)
            if block.features == (0,) and block.is_given_label
        )
        raw = np.maximum(given_label, 0)
        counted.append(np.abs(raw / raw.sum(1, keepdims=True) - truth).sum(1).mean())
        started.append(np.abs(shares - truth).sum(1).mean())
        assert abs(shares[1, 77] - truth[1, 77]) < 0.15  # 0.3, of one class alone
        assert shares[0, 40] > 0.3
    assert np.mean(started) < 0.6 * np.mean(counted)


def test_a_start_at_shares_gives_these_shares_and_no_links() -> None:
    layout = make_layout()
    targets = make_targets(layout, compute_sketch(layout, CODES_2000), 0.0)
    generator = make_generator()
    with torch.no_grad():
        generator.network[-1].weight.zero_()
    shares = make_starting_shares(targets)
    generator.start_at(shares)
    mixture = generator.mixture()
    classes = shares[layout.label_index][0]
    for column, (found, told) in enumerate(zip(mixture.columns, shares, strict=True)):
        overall = told[0] if column == layout.label_index else classes @ told
        given = found.detach().double().numpy()
        assert np.ptp(given, axis=-2).max() < 1e-9  # all parts are alike
        if given.ndim == 2:
            np.testing.assert_allclose(given[0], overall, atol=1e-4)
            continue
        groups = np.arange(30) * 14 // 30  # in every class, a knot's codes have the overall share
        for shown in given[:, 0]:
            np.testing.assert_allclose(
                np.bincount(groups, shown), np.bincount(groups, overall), atol=1e-4
            )


def test_a_start_keeps_what_a_class_has_to_itself_within_a_knot() -> None:
    layout, codes = SketchLayout.from_schema(SPIKED), draw_spiked(20_000, 1)
    targets = make_targets(layout, compute_sketch(layout, codes), 0.0)
    generator = make_generator(SPIKED)
    with torch.no_grad():
        generator.network[-1].weight.zero_()
    generator.start_at(make_starting_shares(targets))
    hours = generator.mixture().columns[0].detach().numpy()[:, 0]
    assert hours[1, 77] > 5 * hours[0, 77]
    beside = np.arange(100) * 14 // 100 == 77 * 14 // 100
    one, other = hours[:, beside].sum(1)
    assert one == pytest.approx(other, rel=1e-3)


def test_the_tiny_schema_has_a_column_with_a_base_for_every_class() -> None:
    assert make_generator().settings.forms[SCHEMA.names.index("age")].is_given_label
