"""The price of dependence: what it counts, and that noise does not buy links between columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_world import CODES_2000, SCHEMA, make_generator, make_layout, to_mixture

from synthesis import fitting
from synthesis.fitting import FitSettings, SketchLoss, fit_generator
from synthesis.generator import Generator
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.quality.marginals import marginal_distance
from synthesis.rows import to_one_hot
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import make_targets

LAYOUT = make_layout()


def make_loss(noise_std: float, seed: int = 0, codes: np.ndarray = CODES_2000) -> SketchLoss:
    noise = np.random.default_rng(seed).normal(0, noise_std, LAYOUT.dimension)
    return SketchLoss(make_targets(LAYOUT, compute_sketch(LAYOUT, codes) + noise, noise_std))


def price(loss: SketchLoss, rows: torch.Tensor) -> float:
    mixture = to_mixture(rows, LAYOUT.sizes, LAYOUT.label_index)
    return float(loss.penalised(mixture) - loss(mixture))


def conditional_information(codes: np.ndarray) -> float:
    """Entropy of every feature given the label, in nats: all there is to know of one-hot rows."""
    total = 0.0
    for place in LAYOUT.features:
        for label in np.unique(codes[:, LAYOUT.label_index]):
            inside = codes[codes[:, LAYOUT.label_index] == label, place]
            shares = np.bincount(inside) / len(inside)
            shares = shares[shares > 0]
            total -= float((shares * np.log(shares)).sum()) * len(inside) / len(codes)
    return total


def test_columns_that_follow_the_label_alone_have_no_price() -> None:
    rows = to_one_hot(CODES_2000, LAYOUT.sizes)
    columns = list(rows.split(LAYOUT.sizes, dim=1))
    label = columns[LAYOUT.label_index]
    alike = [label @ ((label.T @ column) / label.sum(0)[:, None]) for column in columns]
    alike[LAYOUT.label_index] = label
    assert price(make_loss(10.0), torch.cat(alike, dim=1)) == pytest.approx(0.0, abs=1e-3)


def test_the_price_is_the_information_of_the_code_beyond_the_label() -> None:
    loss, rows = make_loss(10.0), to_one_hot(CODES_2000, LAYOUT.sizes)
    wanted = conditional_information(CODES_2000)
    targets = make_targets(
        LAYOUT,
        compute_sketch(LAYOUT, CODES_2000)
        + np.random.default_rng(0).normal(0, 10.0, LAYOUT.dimension),
        10.0,
    )
    unit = 2 * fitting.DEPENDENCE_PRICE * targets.rows / targets.expected_loss
    assert price(loss, rows) == pytest.approx(unit * wanted, rel=0.01)


def fit(loss: SketchLoss, layout: SketchLayout, noise_std: float, seed: int) -> Generator:
    noise = np.random.default_rng(seed).normal(0, noise_std, layout.dimension)
    targets = make_targets(layout, compute_sketch(layout, CODES_2000) + noise, noise_std)
    start = make_generator(num_anchors=64, seed=seed)
    start.start_at(make_starting_shares(targets))
    return fit_generator(start, loss, FitSettings(steps=300))


@pytest.mark.slow
def test_with_the_price_a_noisy_sketch_is_fitted_closer_to_the_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from synthesis.encoding import decode

    truth = decode(SCHEMA, CODES_2000, np.random.default_rng(0))

    def miss(seed: int) -> float:
        generator = fit(make_loss(120.0, seed), LAYOUT, 120.0, seed)
        codes = generator.sample_codes(20_000, np.random.default_rng(seed))
        table = decode(SCHEMA, codes, np.random.default_rng(seed))
        return marginal_distance(SCHEMA, table, truth, 2)

    with_price = [miss(seed) for seed in range(4)]
    monkeypatch.setattr(fitting, "DEPENDENCE_PRICE", 0.0)
    without = [miss(seed) for seed in range(4)]
    assert np.mean(with_price) < np.mean(without)
