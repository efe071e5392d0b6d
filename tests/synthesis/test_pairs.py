"""Which pairs a sketch measures: all while they are few, else some near and some far."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.demos import load_demo
from synthesis.layout import MAX_PAIRED_LEVELS, SketchLayout
from synthesis.pairs import MAX_CELLS, MAX_PAIRS, choose_pairs
from synthesis.schema import Categorical, Integer, Schema

SIZES = st.lists(st.integers(1, 64), max_size=60)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(2, 32), st.integers(0, 400), st.integers(0, 100_000))
def test_no_limit_is_passed_and_every_feature_has_as_many_partners(
    sizes, num_classes, max_pairs, max_cells
) -> None:
    pairs = choose_pairs(sizes, num_classes, max_pairs=max_pairs, max_cells=max_cells)
    assert len(pairs) <= max_pairs
    assert num_classes * sum(sizes[a] * sizes[b] for a, b in pairs) <= max_cells
    assert list(pairs) == sorted(set(pairs))
    assert all(0 <= a < b < len(sizes) for a, b in pairs)
    partners = np.bincount(np.array(pairs, dtype=int).ravel(), minlength=len(sizes))
    assert partners.size == 0 or partners.min() == partners.max()


def test_distances_are_spread_evenly_from_neighbours_to_those_opposite() -> None:
    pairs = choose_pairs([2] * 41, 2, max_pairs=5 * 41)
    assert len(pairs) == 5 * 41
    assert {min(b - a, 41 - (b - a)) for a, b in pairs} == {1, 5, 10, 15, 20}


def test_wide_features_leave_room_for_fewer_pairs() -> None:
    narrow, broad = (choose_pairs([size] * 41, 2, max_cells=150_000) for size in (2, 20))
    assert len(narrow) == 41 * 40 / 2 and len(broad) == 3 * 41


@pytest.mark.parametrize("num_features", [0, 1, 2, 63])
def test_few_features_have_all_pairs(num_features: int) -> None:
    pairs = choose_pairs([20] * num_features, 2)
    assert pairs == tuple(combinations(range(num_features), 2))


def test_the_widest_schema_still_pairs_neighbours() -> None:
    pairs = choose_pairs([2] * 999, 2)
    assert {min(b - a, 999 - (b - a)) for a, b in pairs} == {1, 499}
    assert len(pairs) == 2 * 999 <= MAX_PAIRS


def test_wide_cells_shorten_the_reach() -> None:
    pairs = choose_pairs([64] * 40, 32)
    assert len(pairs) < 40 * 39 / 2
    assert 33 * 64 * 64 * len(pairs) <= MAX_CELLS


def test_the_layout_of_the_census_is_the_one_that_was_measured() -> None:
    layout = SketchLayout.from_schema(load_demo("adult").schema)
    assert layout.pairs == tuple(combinations(range(12), 2))
    assert layout.group_sizes == (14, 9, 16, 7, 15, 6, 5, 2, 14, 14, 14, 42)
    assert len(layout.blocks) == 2 * (66 + 4)


def wide_schema(num_columns: int) -> Schema:
    columns = [Integer(name=f"n{i}", minimum=0, maximum=29) for i in range(num_columns - 1)]
    label = Categorical(name="label", categories=("a", "b"))
    return Schema(name="wide", columns=(*columns, label), label="label")


def test_a_wide_table_has_a_sketch_that_fits_a_message() -> None:
    layout = SketchLayout.from_schema(wide_schema(400))
    assert len(layout.pairs) <= MAX_PAIRS
    assert layout.dimension <= MAX_CELLS + 3 * sum(layout.sizes)
    assert {feature for pair in layout.pairs for feature in pair} == set(range(399))


def test_many_levels_share_groups_in_pairs_and_stay_apart_in_a_block_of_their_own() -> None:
    many = Categorical(name="code", categories=tuple(f"c{i}" for i in range(5000)))
    few = Categorical(
        name="few", categories=tuple(f"c{i}" for i in range(MAX_PAIRED_LEVELS - 1)), missing=True
    )
    label = Categorical(name="label", categories=("a", "b"))
    layout = SketchLayout.from_schema(
        Schema(name="many", columns=(many, few, label), label="label")
    )
    assert layout.group_sizes == (14, MAX_PAIRED_LEVELS)
    assert layout.singles == (0,)
    assert [block.shape[1:] for block in layout.blocks] == 2 * [(14, 64)] + 2 * [(5000,)]
    assert set(np.bincount(layout.groups[0])) == {357, 358}
