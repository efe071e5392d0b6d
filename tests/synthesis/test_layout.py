"""The sketch against an oracle that looks at one record at a time, and its sensitivity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import SCHEMA, draw_codes, make_layout

from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Categorical, Continuous, Integer, Ordinal, Schema

LABEL = Categorical(name="label", categories=("a", "b", "c"))


def with_columns(*columns) -> Schema:
    return Schema(name="made up", columns=(*columns, LABEL), label="label")


def sketch_one_by_one(layout: SketchLayout, codes: np.ndarray) -> np.ndarray:
    blocks = [np.zeros(block.shape) for block in layout.blocks]
    for record in codes:
        label = record[layout.label_index]
        cells = [int(record[place]) for place in layout.features]
        groups = [int(layout.groups[f][cell]) for f, cell in enumerate(cells)]
        for block, counts in zip(layout.blocks, blocks, strict=True):
            first = label if block.is_given_label else 0
            if len(block.features) == 2:
                a, b = block.features
                counts[first, groups[a], groups[b]] += 2
            else:
                counts[first, cells[block.features[0]]] += 3
    return np.concatenate([block.ravel() for block in blocks])


@st.composite
def layouts(draw):
    """Draw a schema and its layout with any choice of pairs, none and all included."""
    schema = draw(schemas())
    layout = SketchLayout.from_schema(schema, max_groups=draw(st.integers(3, 20)))
    chosen = draw(st.lists(st.booleans(), min_size=6, max_size=6))
    kept = tuple(pair for pair, is_kept in zip(layout.pairs, chosen, strict=False) if is_kept)
    return schema, replace(layout, pairs=draw(st.sampled_from([layout.pairs, kept])))


@settings(max_examples=25, deadline=None)
@given(layouts(), st.integers(0, 30), st.integers(0, 99))
def test_sketch_counts_what_a_person_would_count(drawn, rows, seed) -> None:
    schema, layout = drawn
    codes = every_code(schema, np.random.default_rng(seed))[:rows]
    sketch = compute_sketch(layout, codes)
    assert sketch.shape == (layout.dimension,)
    np.testing.assert_array_equal(sketch, sketch_one_by_one(layout, codes))


@settings(max_examples=25, deadline=None)
@given(layouts(), st.integers(0, 99))
def test_any_record_moves_the_sketch_by_exactly_its_sensitivity(drawn, seed) -> None:
    schema, layout = drawn
    codes = every_code(schema, np.random.default_rng(seed))[:40]
    before = compute_sketch(layout, codes[:-1])
    for last in codes[:10]:
        after = compute_sketch(layout, np.vstack([codes[:-1], last]))
        assert np.linalg.norm(after - before) == pytest.approx(layout.sensitivity, rel=1e-12)
        assert set(np.unique(after - before)) <= {0.0, 2.0, 3.0}


@settings(max_examples=25, deadline=None)
@given(layouts())
def test_every_feature_is_counted_whatever_pairs_are_chosen(drawn) -> None:
    _, layout = drawn
    paired = {feature for pair in layout.pairs for feature in pair}
    assert paired | set(layout.singles) == set(range(len(layout.groups)))
    for feature in layout.singles:
        is_grouped = layout.group_sizes[feature] < len(layout.groups[feature])
        assert is_grouped or feature not in paired


@settings(max_examples=30, deadline=None)
@given(schemas(), st.integers(3, 20))
def test_groups_are_whole_runs_of_cells_in_order(schema, max_groups) -> None:
    layout = SketchLayout.from_schema(schema, max_groups=max_groups)
    for feature, groups in zip(layout.features, layout.groups, strict=True):
        column = schema.columns[feature]
        assert len(groups) == column.size
        steps = np.diff(groups)
        assert groups[0] == 0 and set(steps) <= {0, 1}
        if isinstance(column, Categorical) and not isinstance(column, Ordinal):
            assert (steps == 1).all()
        if column.missing:
            assert (groups == groups[-1]).sum() == 1


def test_the_empty_table_has_a_sketch_of_zeros() -> None:
    layout = make_layout()
    sketch = compute_sketch(layout, np.empty((0, 4), dtype=np.int16))
    np.testing.assert_array_equal(sketch, np.zeros(layout.dimension))


def test_a_pair_has_groups_and_a_single_has_every_cell() -> None:
    layout = make_layout()
    assert layout.features == (0, 1, 3)
    assert layout.group_sizes == (10, 4, 2)
    assert layout.singles == (0,)
    pairs = [(10, 4), (10, 2), (4, 2)]
    shapes = [(c, *pair) for c in (2, 1) for pair in pairs] + [(2, 30), (1, 30)]
    assert [block.shape for block in layout.blocks] == shapes
    assert [block.is_given_label for block in layout.blocks] == [shape[0] == 2 for shape in shapes]
    assert layout.sensitivity == pytest.approx((6 * 2**2 + 2 * 3**2) ** 0.5)


def test_without_grouped_columns_blocks_are_all_pairs_as_in_the_design() -> None:
    columns = [Categorical(name=f"c{i}", categories=("x", "y")) for i in range(12)]
    layout = SketchLayout.from_schema(with_columns(*columns))
    assert len(layout.blocks) == 12 * 11
    assert layout.sensitivity == pytest.approx(2 * 132**0.5)


def test_point_masses_and_missing_stay_by_themselves() -> None:
    column = Integer(
        name="gain",
        minimum=0,
        maximum=100_000,
        bins=60,
        transform="log",
        point_masses=(0, 99_999),
        missing=True,
    )
    layout = SketchLayout.from_schema(with_columns(column, column_named("other")), max_groups=8)
    groups = layout.groups[0]
    assert list(groups[:3]) == [0, 1, 2]
    assert layout.group_sizes[0] == 8
    for alone in (groups[0], groups[1], groups[-1]):
        assert (groups == alone).sum() == 1
    inner = np.bincount(groups)[2:-1]
    assert inner.sum() == 60 and inner.max() - inner.min() <= 1


def test_more_point_masses_than_groups_still_leave_two_groups_of_cells() -> None:
    column = Integer(name="n", minimum=0, maximum=99, point_masses=tuple(range(12)))
    groups = SketchLayout.from_schema(with_columns(column, column_named("o")), max_groups=8).groups
    assert groups[0].max() + 1 == 14


def column_named(name: str) -> Continuous:
    return Continuous(name=name, minimum=0.0, maximum=1.0, decimals=2, bins=5)


@pytest.mark.parametrize("size", [2, 64])
def test_one_feature_has_one_block_at_full_resolution(size: int) -> None:
    schema = with_columns(Integer(name="n", minimum=1, maximum=size))
    layout = SketchLayout.from_schema(schema, max_groups=8)
    assert layout.pairs == () and layout.singles == (0,)
    assert [block.shape for block in layout.blocks] == [(3, size), (1, size)]
    assert layout.sensitivity == pytest.approx(3 * 2**0.5)
    codes = draw_codes(50, schema=schema)
    np.testing.assert_array_equal(compute_sketch(layout, codes), sketch_one_by_one(layout, codes))


def test_layout_follows_from_the_schema_alone() -> None:
    one, other = make_layout(), make_layout(Schema.model_validate(SCHEMA.model_dump()))
    assert one.blocks == other.blocks
    for a, b in zip(one.groups, other.groups, strict=True):
        np.testing.assert_array_equal(a, b)


def test_split_gives_the_blocks_back_and_refuses_another_length() -> None:
    layout = make_layout()
    flat = np.arange(layout.dimension, dtype=float)
    blocks = list(layout.split(flat))
    assert [each.shape for each in blocks] == [block.shape for block in layout.blocks]
    scaled = [b.scale * each.ravel() for b, each in zip(layout.blocks, blocks, strict=True)]
    np.testing.assert_allclose(np.concatenate(scaled), flat, rtol=1e-15)
    with pytest.raises(ValueError, match=r"shape \(\d+,\)"):
        list(layout.split(flat[:-1]))


@pytest.mark.parametrize("rows", [0, 1, 79, 80, 81, 240, 241])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_parts_of_the_rows_add_up_exactly(
    monkeypatch: pytest.MonkeyPatch, rows: int, is_weighted: bool
) -> None:
    layout, codes = make_layout(), draw_codes(rows)
    weights = np.random.default_rng(rows).integers(1, 2**20, rows) / 2**20 if is_weighted else None
    whole = compute_sketch(layout, codes, weights)
    monkeypatch.setattr("synthesis.layout._ROWS_COUNTED", 1)  # the largest block has 80 cells
    assert max(block.size for block in layout.blocks) == 80
    np.testing.assert_array_equal(compute_sketch(layout, codes, weights), whole)
    if not is_weighted:
        np.testing.assert_array_equal(whole, sketch_one_by_one(layout, codes))
        np.testing.assert_array_equal(compute_sketch(layout, codes, np.ones(rows)), whole)
