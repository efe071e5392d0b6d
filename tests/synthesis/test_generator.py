"""The generator: probabilities, exact conditions, unbiased draws, hard rows that learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import make_generator, pair_shares

from synthesis.architecture import ColumnForm, GeneratorSettings
from synthesis.generator import Generator

SIZES = (5, 2, 3)


def make_with_runs(*, num_members: int = 2, num_anchors: int = 5, seed: int = 0) -> Generator:
    """Two columns with runs, one of them with a base for every class, and the label between."""
    settings = GeneratorSettings(
        forms=(
            ColumnForm(size=9, start=1, stop=8, knots=3, is_ordered=True, is_given_label=True),
            ColumnForm(size=3),
            ColumnForm(size=6, start=0, stop=6, knots=2),
        ),
        label_index=1,
        num_members=num_members,
        num_anchors=num_anchors,
        latent_dim=4,
        hidden=16,
    )
    generator = Generator(settings, rng=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        generator.network[-1].weight.mul_(12)
        generator.base.normal_(generator=torch.Generator().manual_seed(seed + 1))
    return generator


GENERATORS = [make_generator(SIZES), make_with_runs()]


def columns_of(generator: Generator) -> list[np.ndarray]:
    with torch.no_grad():
        return [column.double().numpy() for column in generator.mixture().columns]


def exact_pair(generator: Generator, a: int, b: int) -> np.ndarray:
    """Share of every combination of codes, summed over parts and classes one by one."""
    columns, at = columns_of(generator), generator.settings.label_index
    parts, classes = columns[at].shape
    total = np.zeros((generator.settings.sizes[a], generator.settings.sizes[b]))
    for part in range(parts):
        for label in range(classes):
            given = [
                np.eye(classes)[label]
                if place == at
                else column[part]
                if column.ndim == 2
                else column[label, part]
                for place, column in enumerate(columns)
            ]
            total += columns[at][part, label] / parts * np.outer(given[a], given[b])
    return total


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 7))
def test_every_column_of_every_latent_code_is_a_distribution(sizes, anchors) -> None:
    generator = make_generator(tuple(sizes), num_anchors=anchors)
    for column in columns_of(generator):
        assert column.shape[0] == anchors
        assert (column >= 0).all()
        np.testing.assert_allclose(column.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_draws_have_the_exact_pair_shares(generator: Generator, pair: tuple[int, int]) -> None:
    codes = generator.sample_codes(200_000, np.random.default_rng(1))
    np.testing.assert_allclose(
        pair_shares(codes, *pair, generator.settings.sizes),
        exact_pair(generator, *pair),
        atol=0.003,
    )


def test_columns_are_independent_given_the_latent_code() -> None:
    generator = make_generator(SIZES, num_anchors=1)
    codes = generator.sample_codes(200_000, np.random.default_rng(2))
    one, other = columns_of(generator)[0][0], columns_of(generator)[2][0]
    np.testing.assert_allclose(pair_shares(codes, 0, 2, SIZES), np.outer(one, other), atol=0.003)


def test_small_tables_are_unbiased_in_columns_and_pairs() -> None:
    generator, rng = make_generator(SIZES, num_anchors=4), np.random.default_rng(3)
    tables = [generator.sample_codes(7, rng) for _ in range(6000)]
    pairs = np.mean([pair_shares(table, 0, 2, SIZES) for table in tables], axis=0)
    # standard error of a cell is below 0.5 / sqrt(6000 * 7) = 0.0025
    np.testing.assert_allclose(pairs, exact_pair(generator, 0, 2), atol=0.01)
    np.testing.assert_allclose(pairs.sum(1), columns_of(generator)[0].mean(0), atol=0.01)


def test_a_table_strays_less_than_independent_rows_would() -> None:
    generator, rng = make_generator(SIZES), np.random.default_rng(4)
    truth, rows = columns_of(generator)[0].mean(0), 500
    errors = [
        np.bincount(generator.sample_codes(rows, rng)[:, 0], minlength=5) / rows - truth
        for _ in range(100)
    ]
    independent = truth * (1 - truth) / rows
    assert np.square(errors).mean(0).sum() < 0.5 * independent.sum()


def test_order_of_rows_says_nothing() -> None:
    codes = make_generator(SIZES).sample_codes(20_000, np.random.default_rng(5))
    first, second = codes[:-1, 0].astype(float), codes[1:, 0].astype(float)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


ALLOWED = [
    {0: np.array([True, False, True, False, False])},
    {2: np.array([False, True, True])},
    {0: np.array([False, True, True, True, True]), 2: np.array([True, False, False])},
]


@pytest.mark.parametrize(
    ("generator", "allowed"),
    [
        *[(GENERATORS[0], allowed) for allowed in ALLOWED],
        (GENERATORS[1], {0: np.arange(9) % 2 == 0}),
        (GENERATORS[1], {1: np.array([True, False, True]), 0: np.arange(9) < 5}),
        (GENERATORS[1], {2: np.arange(6) > 3, 0: np.arange(9) > 2}),
    ],
)
def test_conditions_are_sampled_as_rejection_would(
    generator: Generator, allowed: dict[int, np.ndarray]
) -> None:
    sizes = generator.settings.sizes
    free = generator.sample_codes(400_000, np.random.default_rng(6))
    kept = free[np.all([mask[free[:, place]] for place, mask in allowed.items()], axis=0)]
    bound = generator.sample_codes(100_000, np.random.default_rng(7), allowed=allowed)
    for place, mask in allowed.items():
        assert mask[bound[:, place]].all()
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        np.testing.assert_allclose(
            pair_shares(bound, a, b, sizes), pair_shares(kept, a, b, sizes), atol=0.01
        )


def test_a_rare_condition_holds_in_every_row() -> None:
    generator = make_generator(SIZES)
    with torch.no_grad():
        generator.network[-1].bias[0, 0, 4] -= 15  # the last code of the first column
    only_last = {0: np.array([False, False, False, False, True])}
    codes = generator.sample_codes(5_000, np.random.default_rng(8), allowed=only_last)
    assert (codes[:, 0] == 4).all()


@pytest.mark.parametrize(
    "allowed",
    [{0: np.zeros(5, bool)}, {0: np.array([False, False, False, False, True])}],
)
def test_an_impossible_condition_is_refused(allowed: dict[int, np.ndarray]) -> None:
    generator = make_generator(SIZES)
    with torch.no_grad():
        generator.network[-1].bias[0, 0, 4] -= 500
    with pytest.raises(ValueError, match="almost no probability"):
        generator.sample_codes(10, np.random.default_rng(0), allowed=allowed)


@pytest.mark.parametrize("rows", [0, 1, 2, 31, 33])
def test_any_number_of_rows_can_be_drawn(rows: int) -> None:
    codes = make_generator(SIZES).sample_codes(rows, np.random.default_rng(0))
    assert codes.shape == (rows, 3) and codes.dtype == np.int16
    assert (codes >= 0).all() and (codes < SIZES).all()


def test_codes_without_probability_never_occur() -> None:
    generator = make_generator(SIZES)
    with torch.no_grad():
        generator.network[-1].bias[0, 0, [0, 2, 4]] -= 500
    codes = generator.sample_codes(50_000, np.random.default_rng(9))
    assert set(np.unique(codes[:, 0])) == {1, 3}


def test_the_same_seed_draws_the_same_table() -> None:
    generator = make_generator(SIZES)
    one, same, other = (generator.sample_codes(50, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("make", [lambda: make_generator(SIZES), make_with_runs])
def test_hard_rows_are_one_hot_and_carry_gradients(make: Callable[[], Generator]) -> None:
    generator = make()
    rows = generator.draw_hard_rows(300, torch.Generator().manual_seed(0))
    for column in rows.detach().split(generator.settings.sizes, dim=1):
        torch.testing.assert_close(column.sum(1), torch.ones(300))
        torch.testing.assert_close(column.max(1).values, torch.ones(300))
    torch.autograd.backward((rows * torch.randn(rows.shape[1])).sum())
    for parameter in generator.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_hard_rows_follow_the_probabilities(generator: Generator, pair: tuple[int, int]) -> None:
    with torch.no_grad():
        rows = generator.draw_hard_rows(100_000, torch.Generator().manual_seed(1)).double()
    one, other = (rows.split(generator.settings.sizes, dim=1)[place] for place in pair)
    found = (one.T @ other / len(rows)).numpy()
    np.testing.assert_allclose(found, exact_pair(generator, *pair), atol=0.01)


def test_the_gradient_of_a_hard_row_is_that_of_the_soft_one() -> None:
    """Raising a code's logit must raise, on average, what the code is worth."""
    generator = make_generator(SIZES)
    rows = generator.draw_hard_rows(4000, torch.Generator().manual_seed(2))
    torch.autograd.backward(rows[:, 0].mean())
    bias = generator.network[-1].bias.grad[0, 0]
    assert bias[0] > 0 and (bias[1:5] <= 0).all()
    torch.testing.assert_close(bias[5:], torch.zeros(5))


def test_weights_come_from_the_given_source_alone() -> None:
    settings = make_generator(SIZES, num_anchors=4).settings
    torch.manual_seed(1)
    one = Generator(settings, rng=torch.Generator().manual_seed(5)).state_dict()
    torch.manual_seed(2)
    other = Generator(settings, rng=torch.Generator().manual_seed(5)).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_members_are_parts_of_one_mixture() -> None:
    settings = make_with_runs().settings
    assert settings.num_parts == 10
    assert make_with_runs().mixture().label.shape == (10, 3)


def test_a_run_has_few_outputs_and_lies_on_straight_lines() -> None:
    form = ColumnForm(size=9, start=1, stop=8, knots=3, is_ordered=True)
    assert form.num_outputs == 5  # the code before the run, three knots, the code behind
    spread = form.make_spread()
    assert spread is not None
    logits = (np.array([7.0, 0.0, 3.0, 9.0, -1.0]) @ spread).tolist()
    assert logits == pytest.approx([7, 0, 1, 2, 3, 5, 7, 9, -1])


def test_a_run_without_order_moves_in_groups() -> None:
    spread = ColumnForm(size=6, stop=6, knots=2).make_spread()
    assert spread is not None
    assert (np.array([1.0, 4.0]) @ spread).tolist() == [1, 1, 1, 4, 4, 4]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"num_members": 0}, "num_members"),
        ({"num_anchors": 0}, "num_anchors"),
        ({"latent_dim": -1}, "latent_dim"),
        ({"hidden": 0}, "hidden"),
        ({"label_index": 2}, "label_index"),
        ({"forms": (ColumnForm(size=2),)}, "forms"),
        ({"forms": (ColumnForm(size=2), ColumnForm(size=0))}, "forms"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, name: str) -> None:
    usual = {"forms": (ColumnForm(size=2), ColumnForm(size=3)), "label_index": 0}
    with pytest.raises(ValueError, match=name):
        GeneratorSettings(**(usual | wrong))


def test_the_number_of_weights_is_what_there_is() -> None:
    for generator in GENERATORS:
        weights = sum(weight.numel() for weight in generator.state_dict().values())
        assert generator.settings.num_weights == weights
