"""The counts of a hold-out: what a person would count, and how far one unit moves them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import SCHEMA, draw_codes

from synthesis.evaluation import (
    SCORE_BINS,
    SCORES_SENSITIVITY,
    EvaluationLayout,
    ScoreNetwork,
    compute_one_way,
    compute_scores,
    compute_two_way,
)
from synthesis.evaluation.layout import COARSE_GROUPS, MAX_PAIRS
from synthesis.schema import Categorical, Schema

LAYOUT = EvaluationLayout.from_schema(SCHEMA)
Count = Callable[[EvaluationLayout, np.ndarray, np.ndarray | None], np.ndarray]


def make_network(layout: EvaluationLayout, seed: int = 0) -> ScoreNetwork:
    return ScoreNetwork(layout, hidden=4, rng=torch.Generator().manual_seed(seed))


def count_scores(layout: EvaluationLayout, codes, weights=None) -> np.ndarray:
    return compute_scores(make_network(layout), layout, codes, weights)


STATISTICS: dict[str, tuple[Count, Callable[[EvaluationLayout], float]]] = {
    "one-way": (compute_one_way, lambda layout: layout.one_way_sensitivity),
    "two-way": (compute_two_way, lambda layout: layout.two_way_sensitivity),
    "scores": (count_scores, lambda layout: SCORES_SENSITIVITY),
}
every_statistic = pytest.mark.parametrize("name", STATISTICS)


@every_statistic
@settings(max_examples=25, deadline=None)
@given(schema=schemas(), seed=st.integers(0, 99), rows=st.integers(1, 6), others=st.integers(0, 9))
def test_one_unit_moves_a_statistic_by_at_most_its_sensitivity(
    name: str, schema: Schema, seed: int, rows: int, others: int
) -> None:
    """A unit is some rows that weigh at most one together; the other units have rows as well."""
    compute, sensitivity = STATISTICS[name]
    layout = EvaluationLayout.from_schema(schema)
    rng = np.random.default_rng(seed)
    cells = every_code(schema, rng)
    codes = cells[rng.integers(len(cells), size=others + rows)]
    weights = np.concatenate([np.ones(others), np.full(rows, 1 / rows)])
    with_unit = compute(layout, codes, weights)
    without = compute(layout, codes[:others], weights[:others])
    assert np.linalg.norm(with_unit - without) <= sensitivity(layout) * (1 + 1e-9)


@every_statistic
def test_a_record_moves_a_statistic_by_exactly_its_sensitivity(name: str) -> None:
    """So a smaller one would be too small, and a larger one is noise for nothing."""
    compute, sensitivity = STATISTICS[name]
    codes = draw_codes(7)
    moved = compute(LAYOUT, codes, None) - compute(LAYOUT, codes[:-1], None)
    assert np.linalg.norm(moved) == pytest.approx(sensitivity(LAYOUT))
    assert set(np.unique(moved)) == {0.0, 1.0}


@every_statistic
def test_a_hold_out_may_be_empty(name: str) -> None:
    compute, _ = STATISTICS[name]
    assert not compute(LAYOUT, draw_codes(0), None).any()


@settings(max_examples=25, deadline=None)
@given(schemas(), st.integers(0, 99))
def test_counts_are_what_a_person_would_count(schema: Schema, seed: int) -> None:
    layout = EvaluationLayout.from_schema(schema)
    rng = np.random.default_rng(seed)
    codes = every_code(schema, rng)[:20]
    weights = rng.integers(1, 4, len(codes)) / 4
    singles = [np.zeros(size) for size in layout.sizes]
    pairs = [np.zeros((layout.group_sizes[a], layout.group_sizes[b])) for a, b in layout.pairs]
    for row, weight in zip(codes, weights, strict=True):
        for column, code in enumerate(row):
            singles[column][code] += weight
        for block, (a, b) in zip(pairs, layout.pairs, strict=True):
            block[layout.groups[a][row[a]], layout.groups[b][row[b]]] += weight
    one_way, two_way = (f(layout, codes, weights) for f in (compute_one_way, compute_two_way))
    np.testing.assert_array_equal(one_way, np.concatenate(singles))
    np.testing.assert_array_equal(two_way, np.concatenate([block.ravel() for block in pairs]))


def test_a_wide_table_is_judged_by_pairs_from_near_and_far() -> None:
    columns = [Categorical(name=f"c{i}", categories=("x", "y")) for i in range(99)]
    label = Categorical(name="label", categories=("a", "b"))
    layout = EvaluationLayout.from_schema(
        Schema(name="wide", columns=(*columns, label), label="label")
    )
    assert len(layout.pairs) == len(set(layout.pairs)) == MAX_PAIRS
    assert layout.two_way_sensitivity == pytest.approx(MAX_PAIRS**0.5)
    gaps = [b - a for a, b in layout.pairs]
    assert np.mean(gaps) == pytest.approx(101 / 3, abs=1)  # as in all pairs of 100 columns


def test_no_column_has_more_coarse_groups_than_declared() -> None:
    words = tuple(f"word {number}" for number in range(41))
    columns = (*SCHEMA.columns, Categorical(name="word", categories=words, missing=True))
    schema = Schema(name="wide", columns=columns, label=SCHEMA.label)
    layout = EvaluationLayout.from_schema(schema)
    assert max(layout.group_sizes) == COARSE_GROUPS
    assert layout.groups[-1][-1] == COARSE_GROUPS - 1  # missing stays by itself
    assert np.count_nonzero(layout.groups[-1] == COARSE_GROUPS - 1) == 1
    for groups, size in zip(layout.groups, layout.sizes, strict=True):
        assert len(groups) == size
        assert set(np.diff(groups)) <= {0, 1}


def test_scores_of_positives_and_others_are_counted_apart() -> None:
    codes = draw_codes(300)
    counts = count_scores(LAYOUT, codes)
    label = codes[:, SCHEMA.label_index]
    assert counts[:SCORE_BINS].sum() == np.count_nonzero(label == 0)
    assert counts[SCORE_BINS:].sum() == np.count_nonzero(label == 1)


def test_the_score_does_not_see_the_label() -> None:
    codes = draw_codes(50)
    other = codes.copy()
    other[:, SCHEMA.label_index] = 1 - other[:, SCHEMA.label_index]
    network = make_network(LAYOUT)
    np.testing.assert_array_equal(network.logits(codes), network.logits(other))


@pytest.mark.parametrize("weight", [1e38, -1e38])
def test_a_network_that_overflows_still_counts_every_row_once(weight: float) -> None:
    network = make_network(LAYOUT)
    with torch.no_grad():
        network.layers[0].weight.fill_(weight)
        network.layers[2].weight[0, :2] = torch.tensor([1e38, -1e38])
    assert compute_scores(network, LAYOUT, draw_codes(30)).sum() == 30


def test_a_logit_depends_on_its_row_alone_to_the_last_bit() -> None:
    """Otherwise a border of a bin could be put where one unit more moves others over it."""
    layout = EvaluationLayout.from_schema(SCHEMA)
    network = ScoreNetwork(layout, rng=torch.Generator().manual_seed(3))
    codes = draw_codes(401, 5)
    whole = network.logits(codes)
    for left_out in (0, 7, 200, 400):
        rest = np.delete(np.arange(401), left_out)
        np.testing.assert_array_equal(network.logits(codes[rest]), whole[rest])
    alone = np.concatenate([network.logits(codes[i : i + 1]) for i in range(401)])
    np.testing.assert_array_equal(alone, whole)
    encoded = network(network.encode(codes)).detach().numpy()
    np.testing.assert_allclose(whole, encoded, rtol=1e-4, atol=1e-5)
