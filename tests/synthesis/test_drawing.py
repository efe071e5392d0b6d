"""Drawing by tables agrees with the exact probabilities of the generator, to the last cell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chisquare
from tiny_world import SCHEMA, make_generator

from synthesis.drawing import Groups, MixtureTables, _shuffle_within
from synthesis.generator import Generator
from synthesis.sharded_sample import ShardedSample

PAIRS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]


def exact_shares(generator: Generator, a: int, b: int) -> np.ndarray:
    """Probability of every pair of codes, from the mixture itself."""
    columns = [column.detach().double() for column in generator.mixture().columns]
    at = generator.settings.label_index
    label = columns[at] / len(columns[at])
    parts, classes = label.shape
    full = [
        np.broadcast_to(np.eye(classes)[:, None, :], (classes, parts, classes))
        if position == at
        else np.broadcast_to(column, (classes, *column.shape[-2:]))
        for position, column in enumerate(columns)
    ]
    return np.einsum("pc,cpi,cpj->ij", label.numpy(), full[a], full[b])


def p_value(observed: np.ndarray, expected: np.ndarray) -> float:
    """Chi-square, with cells that are expected to be rare put together."""
    observed, expected = observed.ravel(), expected.ravel() * observed.sum()
    rare = expected < 5
    if expected[rare].sum() > 0:
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    else:
        assert observed[rare].sum() == 0
        observed, expected = observed[~rare], expected[~rare]
    return float(chisquare(observed, expected, sum_check=False).pvalue)


def count_pairs(codes: np.ndarray, a: int, b: int) -> np.ndarray:
    counts = np.zeros((SCHEMA.sizes[a], SCHEMA.sizes[b]))
    np.add.at(counts, (codes[:, a], codes[:, b]), 1)
    return counts


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_independent_rows_have_the_exact_probabilities(a: int, b: int) -> None:
    """Each row is a draw of its own, so that the chi-square is the textbook's."""
    generator = make_generator(num_members=2)
    tables = generator.make_tables()
    rng = np.random.default_rng(10 * a + b)
    codes = np.concatenate([tables.draw(1, rng) for _ in range(4_000)])
    assert p_value(count_pairs(codes, a, b), exact_shares(generator, a, b)) > 1e-3


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_shards_have_the_exact_probabilities(a: int, b: int) -> None:
    """Stratified rows stray less than independent ones, so a bias shows all the more."""
    generator = make_generator(num_members=2)
    sample = ShardedSample.of(generator, SCHEMA, 400_001, seed=5)
    rng = np.random.default_rng(0)
    codes = np.concatenate([sample.tables.draw(131_072, rng) for _ in range(3)])
    counts = count_pairs(codes, a, b)
    assert p_value(counts, exact_shares(generator, a, b)) > 1e-3
    assert p_value(counts, exact_shares(make_generator(seed=1), a, b)) < 1e-9  # it can fail


def test_a_condition_gives_the_probabilities_given_the_condition() -> None:
    generator = make_generator(num_members=2)
    share = np.linspace(0, 1, 30)  # of the values of each age that meet it
    tables = generator.make_tables({0: share, 3: np.array([True, False])})
    codes = tables.draw(200_000, np.random.default_rng(0))
    assert (codes[:, 3] == 0).all()
    joint = exact_shares(generator, 0, 3)[:, 0] * share
    assert tables.probability == pytest.approx(joint.sum(), rel=1e-6)
    counts = np.bincount(codes[:, 0], minlength=30)
    assert p_value(counts, joint / joint.sum()) > 1e-3


def test_shuffling_stays_in_the_group_and_gives_every_order_alike() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6_000), 3)
    shuffled = _shuffle_within(groups, np.tile([7, 0, 32_767], 6_000), rng).reshape(-1, 3)
    orders, counts = np.unique(shuffled, axis=0, return_counts=True)
    assert len(orders) == 6
    assert (np.sort(shuffled, axis=1) == [0, 7, 32_767]).all()
    assert ((counts - 1_000) ** 2 / 1_000).sum() < chi2.ppf(0.999, 5)


def test_groups_say_where_rows_stand() -> None:
    groups = Groups.of(np.array([2, 2, 5, 9, 9, 9]))
    assert groups.numbers.tolist() == [0, 0, 1, 2, 2, 2]
    assert groups.ranks.tolist() == [0, 1, 0, 0, 1, 2]
    assert groups.counts.tolist() == [2, 2, 1, 3, 3, 3]


@pytest.mark.parametrize("share", [0.0, 1e-12])
def test_what_is_almost_impossible_is_said_with_its_probability(share: float) -> None:
    columns = [np.full((2, 2), 0.5), np.full((2, 3), 1 / 3)]
    with pytest.raises(ValueError, match=r"\(.*e[-+]\d+, and at least 1e-09 is needed\); ask"):
        MixtureTables.of(columns, 0, {1: np.full(3, share)})
