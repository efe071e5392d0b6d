"""What sites that lack columns tell: nothing of these, unbiased shares of the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import SCHEMA, draw_codes, make_generator, make_layout

from synthesis.contributions import find_contributions
from synthesis.coverage import Coverage, Told, combine_told, coverage_of
from synthesis.discriminator import Discriminator
from synthesis.fitting import FitSettings, SketchLoss, compute_loss, fit_to_sketch
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.targets import class_totals, make_targets, perturb

AGE, COLOUR, SMOKES = 0, 1, 3  # positions; the label is 2
STD = 8.0


@st.composite
def lacking_layouts(draw):
    schema = draw(schemas())
    layout = SketchLayout.from_schema(schema, max_groups=draw(st.integers(3, 20)))
    missing = draw(st.sets(st.sampled_from(layout.features), max_size=len(layout.features) - 1))
    return schema, layout, layout.lacking(missing), missing


@settings(max_examples=40, deadline=None)
@given(lacking_layouts(), st.integers(0, 99))
def test_any_record_moves_what_is_told_by_exactly_the_sensitivity(drawn, seed) -> None:
    schema, whole, layout, _ = drawn
    codes = every_code(schema, np.random.default_rng(seed))[:40]
    before = compute_sketch(layout, codes[:-1])
    assert layout.dimension == whole.dimension
    assert layout.sensitivity <= whole.sensitivity
    for last in codes[:10]:
        moved = compute_sketch(layout, np.vstack([codes[:-1], last])) - before
        assert np.linalg.norm(moved) == pytest.approx(layout.sensitivity, rel=1e-12, abs=1e-12)
        assert not moved[~layout.told_cells].any()
        contribution = find_contributions(layout, last[None]).toarray()[0]
        np.testing.assert_array_equal(contribution, moved)


@settings(max_examples=25, deadline=None)
@given(lacking_layouts(), st.integers(0, 99))
def test_cells_of_missing_columns_move_nothing(drawn, seed) -> None:
    schema, whole, layout, missing = drawn
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)[:40]
    other = codes.copy()
    for column in missing:
        other[:, column] = rng.permutation(other[:, column])
    sketch = compute_sketch(layout, codes)
    np.testing.assert_array_equal(sketch, compute_sketch(layout, other))
    told = compute_sketch(whole, codes)[layout.told_cells]
    np.testing.assert_array_equal(sketch[layout.told_cells], told)


def tell(layout: SketchLayout, codes: np.ndarray, rng: np.random.Generator | None = None) -> Told:
    counts = compute_sketch(layout, codes)
    if rng is not None:
        counts[layout.told_cells] += rng.normal(0, STD, layout.told_cells.sum())
    classes, class_std = class_totals(layout, list(layout.split(counts)), STD)
    return Told(
        told=[layout.is_told(block) for block in layout.blocks],
        counts=counts,
        variance=STD**2,
        classes=classes,
        class_std=class_std,
    )


def draw_site(rows: int, seed: int, ill: float) -> np.ndarray:
    """Rows of one law given the label, of which this site has its own share."""
    rng = np.random.default_rng(seed)
    codes = draw_codes(40 * rows, seed)
    sick = np.flatnonzero(codes[:, 2] == 1)
    well = np.flatnonzero(codes[:, 2] == 0)
    number = round(rows * ill)
    return codes[np.concatenate([rng.choice(sick, number), rng.choice(well, rows - number)])]


def make_sites() -> list[tuple[SketchLayout, np.ndarray]]:
    whole = make_layout()
    return [
        (whole, draw_site(500, 1, 0.5)),
        (whole, draw_site(700, 2, 0.3)),
        (whole, draw_site(300, 3, 0.6)),
        (whole.lacking({COLOUR, SMOKES}), draw_site(900, 4, 0.8)),
    ]


def test_pooled_pairs_are_unbiased_for_the_rows_that_have_them() -> None:
    """Over many draws of noise, against the exact counts of the sites that have both columns."""
    layout, sites = make_layout(), make_sites()
    known = np.concatenate([codes for _, codes in sites[:3]])
    everyone = np.concatenate([codes for _, codes in sites])
    per_class = [np.bincount(codes[:, 2], minlength=2) for codes in (everyone, known)]
    factors = per_class[0] / per_class[1]
    rng, repeats = np.random.default_rng(0), 300
    draws, covered = [], None
    for _ in range(repeats):
        values, covered = combine_told(layout, [tell(one, codes, rng) for one, codes in sites])
        draws.append(values)
    assert covered is not None
    mean, spread = np.mean(draws, 0), np.std(draws, 0)
    exact = {
        (block.features, block.is_given_label): counts
        for block, counts in zip(
            layout.blocks, layout.split(compute_sketch(layout, known)), strict=True
        )
    }
    whole = list(layout.split(compute_sketch(layout, everyone)))
    for number, (block, found, std) in enumerate(
        zip(layout.blocks, layout.split(mean), layout.split(spread), strict=True)
    ):
        if sites[3][0].is_told(block):
            truth = whole[number]
        else:
            truth = exact[block.features, True] * factors.reshape(-1, *[1] * len(block.features))
            truth = truth if block.is_given_label else truth.sum(0, keepdims=True)
        error = np.sqrt(np.mean(np.square(found - truth)))
        assert error < 2.0 * std.mean() / repeats**0.5
        stated = covered.noise[number] * STD * 2 / block.scale  # noise of four sites together
        np.testing.assert_allclose(std.reshape(len(stated), -1).mean(1), stated, rtol=0.15)


def test_what_all_tell_is_the_plain_sum() -> None:
    layout = make_layout()
    sites = [draw_codes(100, seed) for seed in range(3)]
    values, coverage = combine_told(layout, [tell(layout, codes) for codes in sites])
    np.testing.assert_array_equal(values, compute_sketch(layout, np.concatenate(sites)))
    full = Coverage.of_site(layout)
    np.testing.assert_array_equal(coverage.to_vector(), full.to_vector())


def test_coverage_survives_its_vector_and_odd_ones_are_refused() -> None:
    layout = make_layout()
    _, coverage = combine_told(layout, [tell(one, codes) for one, codes in make_sites()])
    vector = coverage.to_vector()
    np.testing.assert_array_equal(coverage_of(layout, vector).to_vector(), vector)
    half = len(vector) // 2
    for place, value in [(0, 0.0), (0, np.nan), (0, 1e9), (half, 1.5), (half, -0.1), (half, 1e-9)]:
        odd = vector.copy()
        odd[place] = value
        with pytest.raises(ValueError):
            Coverage.from_vector(layout, odd)
    with pytest.raises(ValueError, match="shape"):
        Coverage.from_vector(layout, vector[1:])


def make_apart():
    """Age and smoking are known at one site, age and colour at the other."""
    layout, codes = make_layout(), draw_codes(4000, 5)
    several = [tell(layout.lacking({COLOUR}), codes), tell(layout.lacking({SMOKES}), codes)]
    values, coverage = combine_told(layout, several)
    return layout, make_targets(layout, values, STD * 2**0.5, coverage), coverage


def test_a_pair_never_seen_together_weighs_nothing() -> None:
    layout, targets, coverage = make_apart()
    assert coverage.find_apart(layout) == ((1, 2),)
    assert coverage.find_untold(layout) == ()
    for member in (targets, *perturb(targets, 2, np.random.default_rng(0))):
        for block, weights in zip(layout.blocks, member.weights, strict=True):
            assert (weights > 0).all() != (block.features == (1, 2))
            assert np.isfinite(weights).all()
    assert np.isfinite(targets.expected_loss) and np.isfinite(targets.loss_spread)
    exact = np.bincount(draw_codes(4000, 5)[:, 2], minlength=2) / 4000
    np.testing.assert_allclose(targets.class_shares, exact, atol=0.02)
    assert targets.rows == pytest.approx(8000, rel=0.02)


def test_the_fit_meets_what_is_seen_and_leaves_out_what_is_not() -> None:
    layout, targets, _ = make_apart()
    generator = make_generator(num_anchors=32)
    fitted = fit_to_sketch(generator, targets, FitSettings(steps=200), rng=np.random.default_rng(0))
    drawn = fitted.sample_codes(20_000, np.random.default_rng(1))
    truth = draw_codes(4000, 5)
    got, wanted = (
        [c / len(each) for c in layout.split(compute_sketch(layout, each))]
        for each in (drawn, truth)
    )
    for block, one, other in zip(layout.blocks, got, wanted, strict=True):
        if block.features != (1, 2):
            assert np.abs(one - other).sum() / 2 < 0.12
    moved = SketchLoss(
        make_targets(layout, _scramble(layout, targets), STD * 2**0.5, make_apart()[2])
    )
    assert compute_loss(fitted, moved) == pytest.approx(
        compute_loss(fitted, SketchLoss(targets)), rel=1e-5
    )


def _scramble(layout: SketchLayout, targets) -> np.ndarray:
    """The same sketch, with anything in the blocks that nobody told."""
    blocks = [
        block * targets.rows * layout.blocks[number].scale
        + (1000.0 if layout.blocks[number].features == (1, 2) else 0.0)
        for number, block in enumerate(targets.blocks)
    ]
    return np.concatenate([block.ravel() for block in blocks])


def test_a_discriminator_does_not_look_at_what_a_site_lacks() -> None:
    width, told = 6, [True, True, False, False, True, True]
    rows = torch.rand((5, width))
    other = rows.clone()
    other[:, 2:4] = torch.rand((5, 2))
    network = Discriminator(width, rng=torch.Generator().manual_seed(0), told=told)
    assert torch.equal(network(rows), network(other))
    assert not list(network.buffers())
    usual = Discriminator(width, rng=torch.Generator().manual_seed(0))
    assert not torch.equal(usual(rows), usual(other))
    assert set(network.state_dict()) == set(usual.state_dict())


def test_the_layout_of_the_tiny_schema_lacks_what_it_should() -> None:
    layout = make_layout().lacking({SCHEMA.names.index("colour")})
    assert layout.absent == {1}
    assert [b.features for b in layout.blocks if not layout.is_told(b)] == [
        (0, 1),
        (1, 2),
        (0, 1),
        (1, 2),
    ]
