"""Each rule against its definition, computed in another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from strategies.rules import RuleSettings, Similarity, make_rule

RNG = np.random.default_rng(5)


def combine(name: str, rows: np.ndarray, **settings: float) -> np.ndarray:
    rule = make_rule(name, RuleSettings(**settings))  # type: ignore[arg-type]
    rule.begin([], [])
    for node, row in enumerate(rows.astype(np.float32)):
        rule.add(node, [row], 1.0)
    return rule.finish()[0]


@pytest.mark.parametrize("number", [3, 4, 9, 10])
def test_the_median_is_that_of_numpy(number: int) -> None:
    rows = RNG.normal(size=(number, 7)).astype(np.float32)
    found = combine("median", rows, bad_sites=1)
    np.testing.assert_allclose(found, np.median(rows, axis=0), rtol=1e-6)


@pytest.mark.parametrize(("number", "bad"), [(3, 1), (8, 1), (8, 3), (11, 2)])
def test_the_trimmed_mean_is_that_of_scipy(number: int, bad: int) -> None:
    rows = RNG.normal(size=(number, 7)).astype(np.float32)
    found = combine("trimmed-mean", rows, bad_sites=bad)
    np.testing.assert_allclose(found, stats.trim_mean(rows, bad / number + 1e-9, axis=0), rtol=1e-5)


def krum_scores(rows: np.ndarray, bad: int) -> list[tuple[float, float]]:
    """The score of every row, and what decides between equal ones."""
    scores = []
    for i, row in enumerate(rows):
        others = sorted(float(((row - o) ** 2).sum()) for j, o in enumerate(rows) if j != i)
        scores.append((sum(others[: max(1, len(rows) - bad - 2)]), sum(others)))
    return scores


@pytest.mark.parametrize(("number", "bad"), [(5, 1), (8, 2), (11, 3)])
def test_krum_takes_the_reply_with_the_nearest_neighbours(number: int, bad: int) -> None:
    rows = RNG.normal(size=(number, 6)).astype(np.float32).astype(np.float64)
    scores = krum_scores(rows, bad)
    order = sorted(range(number), key=scores.__getitem__)
    np.testing.assert_array_equal(combine("krum", rows, bad_sites=bad), rows[order[0]])
    several = combine("multi-krum", rows, bad_sites=bad)
    np.testing.assert_allclose(several, rows[order[: number - bad]].mean(0), rtol=1e-5, atol=1e-6)


def test_krum_tells_near_models_apart_though_they_are_large() -> None:
    """As differences of squares in float32 they would all be equally far, or nearer than zero."""
    base = np.full(1000, 50.0)
    rows = np.stack([base + step for step in (0.0, 0.001, 0.002, 0.003, 0.02)])
    chosen = combine("krum", rows, bad_sites=1)
    assert 0.0005 < float(np.mean(chosen - base)) < 0.0025


def test_bulyan_is_the_mean_near_the_median_of_what_krum_chooses() -> None:
    bad, rows = 1, RNG.normal(size=(9, 5)).astype(np.float32).astype(np.float64)
    left, chosen = list(range(9)), []
    while len(chosen) < 9 - 2 * bad:
        scores = krum_scores(rows[left], bad)
        chosen.append(left.pop(scores.index(min(scores))))
    middle = np.median(rows[chosen], axis=0)
    expected = [
        np.mean(sorted(column, key=lambda value, m=m: abs(value - m))[: len(chosen) - 2 * bad])
        for column, m in zip(rows[chosen].T, middle, strict=True)
    ]
    np.testing.assert_allclose(combine("bulyan", rows, bad_sites=bad), expected, rtol=1e-4)


def steps(name: str, updates: list[float], **settings: float) -> list[float]:
    """Where one weight stands after each round; every reply goes on from there by an update."""
    rule = make_rule(name, RuleSettings(**settings))  # type: ignore[arg-type]
    at, found = np.zeros(1), []
    for update in updates:
        rule.begin([at], [at])
        rule.add(1, [at + update], 1.0)
        (at,) = rule.finish()
        found.append(float(at[0]))
    return found


def test_momentum_goes_on_in_the_direction_of_earlier_rounds() -> None:
    found = steps("fedavgm", [1.0, 0.0, 0.0], server_learning_rate=0.5, server_momentum=0.5)
    np.testing.assert_allclose(found, [0.5, 0.75, 0.875])
    plain = steps("fedavgm", [1.0, 2.0], server_learning_rate=1.0, server_momentum=0.0)
    np.testing.assert_allclose(plain, [1.0, 3.0])


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
def test_adaptive_steps_are_those_of_the_paper(name: str) -> None:
    updates, rate, beta, decay, tau = [0.3, -0.1, 0.2], 0.01, 0.9, 0.99, 1e-3
    at = m = 0.0
    v, expected = tau**2, []
    for update in updates:
        m = beta * m + (1 - beta) * update
        grown = update**2 if name == "fedadam" else update**2 * np.sign(update**2 - v)
        v = decay * v + (1 - decay) * grown if name == "fedadam" else v + (1 - decay) * grown
        at += rate * m / (np.sqrt(v) + tau)
        expected.append(at)
    found = steps(name, updates, server_learning_rate=rate, server_momentum=beta)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_server_step_keeps_what_a_wire_format_would_have_rounded_away() -> None:
    rule = make_rule("fedavgm", RuleSettings(server_learning_rate=1.0, server_momentum=0.0))
    start, seen = np.array([1.0001], np.float32), np.array([1.0], np.float32)
    rule.begin([start], [seen])
    rule.add(1, [seen], 1.0)
    assert rule.finish()[0][0] == start[0]


def test_what_a_site_keeps_of_its_weight_is_all_and_then_falls_with_its_distance() -> None:
    assert [Similarity.discount(d) for d in (0.0, 0.5, 1.0, 2.0, 8.0)] == [1, 1, 1, 0.5, 0.125]


def test_similarity_is_the_mean_by_the_weights_that_it_is_given() -> None:
    rule, rows = make_rule("similarity", RuleSettings()), RNG.normal(size=(3, 7))
    rule.begin([], [])
    for node, row in enumerate(rows):
        rule.add(node, [row], 1.0 + node)
    np.testing.assert_allclose(rule.finish()[0], np.average(rows, axis=0, weights=[1, 2, 3]))
